// @ts-check
// The TypeScript of all workspaces, compiled where it has changed.

import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundle, isBundled } from "../bundle.mjs";
import { packedTypes, packTypes } from "../pack-types.mjs";
import { notes, root } from "./checkout.mjs";
import { Log, run } from "./command.mjs";
import { Failure } from "./failure.mjs";

const STAMP = join(notes, "build.json");

/** The workspaces, in the order package.json names them. */
export const workspaces = /** @type {readonly string[]} */ (
  JSON.parse(readFileSync(join(root, "package.json"), "utf8")).workspaces
);

/**
 * Compiles what has changed since the last build.
 *
 * @param {import("./progress.mjs").Step} step
 * @returns {Promise<void>}
 */
export async function buildTypeScript(step) {
  const before = fingerprint();
  if (isBuilt(before)) {
    step.upToDate();
    return;
  }
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  step.report("tsc -b");
  const log = new Log("build");
  try {
    await run(process.execPath, [tsc, "-b", "--pretty", "false"], { tool: "tsc", step, log });
  } catch (error) {
    if (error instanceof Failure && error.output) {
      throw new Failure("the TypeScript sources do not compile", "correct them, or restore them with git", error);
    }
    throw error;
  }
  step.report("packing declarations");
  await packTypes();
  step.report("bundling");
  await bundle();
  mkdirSync(notes, { recursive: true });
  writeFileSync(STAMP, JSON.stringify(before));
}

/**
 * Whether the build of exactly these sources is there. `tsc -b` would find out too, but takes seconds to say so.
 *
 * @param {Record<string, string>} sources
 */
function isBuilt(sources) {
  if (!existsSync(STAMP) || readFileSync(STAMP, "utf8") !== JSON.stringify(sources)) return false;
  if (!existsSync(packedTypes) || !isBundled()) return false;
  return Object.keys(sources).every((source) => !source.endsWith(".ts") || existsSync(outputOf(source)));
}

/**
 * Where the compiler puts a source file: kernel/src/a/b.ts is built as kernel/dist/a/b.js.
 *
 * @param {string} source relative to the root of the checkout
 * @returns {string} an absolute path; of the source itself for what has no output
 */
export function outputOf(source) {
  const match = /^([^/]+)\/src\/(.*)(?<!\.d)\.ts$/.exec(source);
  return match ? join(root, match[1], "dist", `${match[2]}.js`) : join(root, source);
}

/**
 * Every file that decides what the build yields, with what tells that it changed.
 *
 * @returns {Record<string, string>}
 */
function fingerprint() {
  const files = [
    "tsconfig.base.json",
    "tsconfig.json",
    "node_modules/typescript/package.json",
    "node_modules/@tensorflow/tfjs-core/package.json",
    "scripts/bundle.mjs",
    "scripts/pack-types.mjs",
    ...workspaces.flatMap((name) => [`${name}/tsconfig.json`, `${name}/package.json`, ...sourcesOf(name)]),
  ];
  return Object.fromEntries(
    files.map((file) => {
      const { size, mtimeMs } = statSync(join(root, file));
      return [file, `${size} ${mtimeMs}`];
    }),
  );
}

/**
 * The TypeScript sources of a workspace.
 *
 * @param {string} workspace
 * @returns {string[]} paths relative to the root of the checkout, sorted
 */
export function sourcesOf(workspace) {
  const folder = join(root, workspace, "src");
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => /\.[cm]?tsx?$/.test(file))
    .map((file) => join(workspace, "src", file))
    .sort();
}

/**
 * Builds an addon of the native engine, where there is a compiler. Without one another engine does the work, so nothing
 * fails.
 *
 * @param {import("./progress.mjs").Step} step
 * @param {import("../build-native.mjs").AddonTarget} [target]
 * @returns {Promise<void>}
 */
export async function buildNativeEngine(step, target = "native") {
  const script = join(root, "scripts", "build-native.mjs");
  const { buildNative } = await import(script);
  const log = new Log(target);
  const result = await buildNative({
    target,
    arch: "own",
    /** @param {string} line */
    log: (line) => {
      log.append(`${line}\n`);
      step.report(line);
    },
  });
  if (result.built) {
    step.result(result.how);
    return;
  }
  const instead = result.kept
    ? " anew, the one from before is used"
    : { native: ", the WASM engine is used", cuda: ", the GPU is not used", "cuda-emulated": "" }[target];
  step.result(`not built${instead}: ${result.reason} (${result.remedy})`);
}
