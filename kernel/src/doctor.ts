/** `metastate-kernel doctor`: whether this machine has what the kernel needs, each with the remedy where it has not. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Execution } from "./front/execution.js";
import { findKernelspecs, type Target } from "./kernelspec.js";
import { LanguageClient } from "./language/client.js";
import { makeHeader } from "./protocol/message.js";

/** What one check found. */
export interface Finding {
  readonly good: boolean;
  readonly text: string;
}

/** Far longer than a first cell takes on a slow machine. */
const PATIENCE_MS = 60_000;

/** Checks all, one after the other. */
export async function* examine(places: readonly Target[], cellApi: string): AsyncGenerator<Finding> {
  yield node();
  yield await zeromq();
  yield* kernelspecs(places);
  yield await cell(cellApi);
}

function node(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  // As package.json says under "engines".
  const good = major === 20 ? minor >= 19 : major > 22 || (major === 22 && minor >= 12);
  const remedy = good ? "" : "; 20.19 or newer (of 22: 22.12) is needed: install it, then run metastate-kernel install";
  return { good, text: `Node.js ${process.versions.node} at ${process.execPath}${remedy}` };
}

/** Its native part is of one platform and kind of C library, and is lost when node_modules are copied between machines. */
async function zeromq(): Promise<Finding> {
  try {
    const { version } = await import("zeromq");
    return { good: true, text: `ZeroMQ ${version}` };
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n", 1)[0] : String(error);
    return {
      good: false,
      text: `ZeroMQ cannot be loaded (${reason}): run npm rebuild zeromq where the kernel is installed`,
    };
  }
}

function kernelspecs(places: readonly Target[]): Finding[] {
  const files = new Set(places.flatMap((place) => findKernelspecs(place)));
  if (files.size > 0) return [...files].map(kernelspec);
  return [
    { good: false, text: "no kernelspec is registered here: run metastate-kernel install, or with --sys-prefix" },
  ];
}

/** A kernelspec names files, which go when Node.js or the kernel move. */
function kernelspec(file: string): Finding {
  const { argv, display_name } = JSON.parse(readFileSync(file, "utf8")) as { argv: string[]; display_name: string };
  const at = argv.indexOf("--preload");
  const files = [...argv.slice(0, 2), ...(at < 0 ? [] : argv.slice(at).filter((part) => part !== "--preload"))];
  const gone = files.filter((part) => !existsSync(part));
  const remedy = gone.length === 0 ? "" : `: ${gone.join(", ")} is gone; run metastate-kernel install again`;
  return { good: gone.length === 0, text: `kernelspec "${display_name}" in ${file}${remedy}` };
}

/** Compiles and runs a cell, as a notebook would. */
async function cell(cellApi: string): Promise<Finding> {
  const folder = mkdtempSync(join(tmpdir(), "metastate-doctor-"));
  const language = new LanguageClient({ folder, globals: [cellApi] });
  const said: string[] = [];
  const execution = new Execution({
    session: { folder, preloads: [] },
    language,
    publish: (_, content) => {
      said.push(JSON.stringify(content));
    },
    ask: () => {
      throw new Error("nobody is there to be asked");
    },
    log: (line) => said.push(line),
  });
  const started = performance.now();
  try {
    const request = { source: "20 + 22", silent: false, executionCount: 1, parent: makeHeader("execute_request") };
    const late = new Promise<"late">((resolve) => setTimeout(resolve, PATIENCE_MS, "late").unref());
    const outcome = await Promise.race([execution.execute(request), late]);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    const { version } = createRequire(import.meta.url)("typescript/package.json") as { version: string };
    if (outcome !== "late" && outcome.status === "ok" && said.some((line) => line.includes("42"))) {
      return { good: true, text: `a first cell runs in ${seconds} s, with TypeScript ${version}` };
    }
    const why = outcome === "late" ? `it has not ended after ${seconds} s` : said.join("; ");
    return { good: false, text: `a cell does not run: ${why}` };
  } catch (error) {
    return { good: false, text: `a cell does not run: ${error instanceof Error ? error.message : String(error)}` };
  } finally {
    execution.close();
    await language.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
