/** What the kernel says of itself. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { PROTOCOL_VERSION, type Json } from "../protocol/message.js";

const version = versionIn(new URL("../../package.json", import.meta.url));
/** Read from its package.json: loading TypeScript itself takes longer than the rest of the start. */
const typescript = versionIn(createRequire(import.meta.url).resolve("typescript/package.json"));

function versionIn(packageJson: string | URL): string {
  return (JSON.parse(readFileSync(packageJson, "utf8")) as { version: string }).version;
}

/** Content of a `kernel_info_reply`. */
export function kernelInfo(): Json {
  return {
    status: "ok",
    protocol_version: PROTOCOL_VERSION,
    implementation: "metastate-kernel",
    implementation_version: version,
    language_info: {
      name: "typescript",
      version: typescript,
      mimetype: "text/typescript",
      file_extension: ".ts",
      pygments_lexer: "typescript",
      codemirror_mode: { name: "typescript" },
      nbconvert_exporter: "script",
    },
    banner: `TypeScript ${typescript} on Node.js ${process.versions.node} (metastate-kernel ${version})`,
    help_links: [
      { text: "TypeScript handbook", url: "https://www.typescriptlang.org/docs/handbook/" },
      { text: "Node.js documentation", url: "https://nodejs.org/docs/latest/api/" },
    ],
    debugger: true,
    supported_features: ["debugger", "kernel subshells"],
  };
}
