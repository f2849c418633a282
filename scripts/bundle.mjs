#!/usr/bin/env node
// @ts-check
// Bundles what a kernel loads when it starts: Node.js takes half a millisecond for each module, and four hundred are two thirds of
// a start. In kernel/dist/bundle are the modules of each of the kernel's processes, in the dist/bundle of lib, kernels-cuda and
// notebooks those of the library that notebooks preload. `tsc -b` comes first: a bundle that is older than what that wrote is not
// used (kernel/src/program.ts, kernel/src/front/preload-bundle.ts).

import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, isAbsolute, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** What is bundled: the modules of a workspace that somebody imports. Each has a bundle of its own. */
const ENTRIES = {
  kernel: ["run", "session/main", "session/interrupt-thread"],
  lib: ["index"],
  "kernels-cuda": ["index"],
  notebooks: ["preload"],
};
/** Under this condition the package.json of lib and of kernels-cuda lead to their bundles. */
const CONDITION = "metastate-bundle";
/** Tells the kernel of the bundled preload. */
const NOTE = join(root, "notebooks", "dist", "preload.bundle.json");

/**
 * Packages in CommonJS of a megabyte. Where a module imports one, Node.js reads all of it thrice: for whether it is CommonJS, for
 * the names that it exports, and to run it. Required it is read once; it is the same for whoever imports it besides.
 */
const REQUIRED = /^@tensorflow\/tfjs-(core|backend-\w+)$/;

/** Whether there are bundles at all. */
export function isBundled() {
  return existsSync(NOTE);
}

/** Bundles everything. */
export async function bundle() {
  const { rollup } = await import("rollup");
  for (const [workspace, entries] of Object.entries(ENTRIES)) {
    const dist = join(root, workspace, "dist");
    const folder = join(dist, "bundle");
    const fresh = `${folder}.new`;
    rmSync(fresh, { recursive: true, force: true });
    mkdirSync(fresh);
    for (const entry of entries) {
      const built = await rollup({
        input: { [entry]: join(dist, `${entry}.js`) },
        external: (id) => !/^[.\0]/.test(id) && !isAbsolute(id) && !REQUIRED.test(id),
        treeshake: false,
        plugins: [required, places(folder), names],
        onwarn: () => undefined,
      });
      const chunkFileNames = "[name]-[hash].js";
      await built.write({
        dir: fresh,
        format: "es",
        chunkFileNames,
        sourcemap: true,
        sourcemapExcludeSources: true,
        generatedCode: { preset: "es2015", symbols: true },
      });
    }
    rmSync(folder, { recursive: true, force: true });
    renameSync(fresh, folder);
  }
  const builds = Object.keys(ENTRIES).filter((workspace) => workspace !== "kernel");
  const newerThan = builds.map((workspace) => `../../${workspace}/tsconfig.tsbuildinfo`);
  const note = { module: "./bundle/preload.js", condition: CONDITION, newerThan };
  writeFileSync(NOTE, `${JSON.stringify(note, undefined, 2)}\n`);
}

/** @type {import("rollup").Plugin} */
const required = {
  name: "required",
  resolveId: (id) => (REQUIRED.test(id) ? `\0${id}` : null),
  load: (id) => {
    if (!id.startsWith("\0")) return null;
    const code = `import { createRequire } from "node:module";
export default createRequire(import.meta.url)(${JSON.stringify(id.slice(1))});`;
    return { code, syntheticNamedExports: true };
  },
};

/**
 * What a module says of its own place stays true.
 *
 * @param {string} folder
 * @returns {import("rollup").Plugin}
 */
function places(folder) {
  return {
    name: "places",
    resolveImportMeta(property, { moduleId, chunkId }) {
      if (moduleId.startsWith("\0")) return null;
      const from = dirname(join(folder, chunkId));
      const path = relative(from, property === "dirname" ? dirname(moduleId) : moduleId).replaceAll("\\", "/");
      if (property === "url") return `new URL(${JSON.stringify(path)}, import.meta.url).href`;
      if (property === "dirname") return `(import.meta.dirname + ${JSON.stringify(`/${path}`)})`;
      throw new Error(`import.meta.${property} in ${moduleId}: a bundle knows import.meta.url and dirname only`);
    },
  };
}

/**
 * Functions and classes of equal names in several modules are renamed, `split$1`; they go on to say that they are `split`.
 *
 * @type {import("rollup").Plugin}
 */
const names = {
  name: "names",
  renderChunk(code) {
    const renamed = this.parse(code).body.flatMap((node) => {
      if (node.type === "FunctionDeclaration" || node.type === "ClassDeclaration") return oneOfSeveral(node.id.name);
      if (node.type !== "VariableDeclaration") return [];
      return node.declarations.flatMap(({ id, init }) =>
        id.type === "Identifier" && /^(Arrow)?Function|^Class/.test(init?.type ?? "") ? oneOfSeveral(id.name) : [],
      );
    });
    if (renamed.length === 0) return null;
    const each = `for (const [value, name] of [${renamed.join(", ")}])`;
    return { code: `${code}\n${each} Object.defineProperty(value, "name", { value: name });\n`, map: null };
  },
};

/**
 * @param {string} name
 * @returns {string[]} the name as Rollup made it with the name as it was, if Rollup did
 */
function oneOfSeveral(name) {
  const [, before] = /^(.+)\$\d+$/.exec(name) ?? [];
  return before === undefined ? [] : [`[${name}, "${before}"]`];
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) await bundle();
