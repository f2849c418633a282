#!/usr/bin/env node
// @ts-check
// Packs the declarations of TensorFlow.js into one file beside the preload module, where the kernel looks for them.
//
// TypeScript looks at every file of a program whenever it makes one. tfjs-core brings five hundred; as one, that takes a third
// of the time. The methods of tensors (`x.add(y)`), which tfjs-core declares in modules of their own, come with it.

import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const declarations = join(root, "node_modules", "@tensorflow", "tfjs-core", "dist");

/** Where the packed declarations are. */
export const packedTypes = join(root, "notebooks", "dist", "types", "@tensorflow", "tfjs-core.d.ts");

/** Packs them. */
export async function packTypes() {
  const { rollup } = await import("rollup");
  const { dts } = await import("rollup-plugin-dts");
  const bundle = await rollup({ input: join(declarations, "index.d.ts"), plugins: [dts({ respectExternal: true })] });
  const { output } = await bundle.generate({ format: "es" });
  mkdirSync(dirname(packedTypes), { recursive: true });
  writeFileSync(`${packedTypes}.new`, `${withoutReferences(output[0].code)}\n${tensorMethods()}`);
  renameSync(`${packedTypes}.new`, packedTypes);
}

/**
 * References to types of browsers, which are not installed.
 *
 * @param {string} code
 */
function withoutReferences(code) {
  return code.replace(/^\/\/\/ <reference .*$/gm, "");
}

/** The methods that tfjs-core declares for its class of tensors, as interfaces that merge with it. */
function tensorMethods() {
  const folder = join(declarations, "public", "chained_ops");
  const files = readdirSync(folder).filter((file) => file.endsWith(".d.ts") && !file.startsWith("register_all"));
  const bodies = files.flatMap((file) => {
    const text = readFileSync(join(folder, file), "utf8");
    const body = /declare module '[^']*' \{\n([^]*)\n\}/.exec(text)?.[1];
    return body === undefined ? [] : [body];
  });
  if (bodies.length < 100)
    throw new Error(`tfjs-core declares ${bodies.length} methods of tensors, more were expected`);
  return bodies.join("\n");
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) await packTypes();
