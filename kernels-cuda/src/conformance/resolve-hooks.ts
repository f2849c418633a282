/**
 * Module hooks for the conformance suite. tfjs ships its tests as ES modules for bundlers: without file extensions, and
 * beside a build for Node that is another copy of everything. Here every import of tfjs, ours too, means the modules.
 */
import { existsSync, readFileSync } from "node:fs";
import type { LoadHook, ResolveHook } from "node:module";
import { fileURLToPath } from "node:url";

const modulesOf = /\/@tensorflow\/(tfjs-core|tfjs-backend-cpu)\/dist\//;

export const resolve: ResolveHook = async (specifier, context, next) => {
  if (specifier === "@tensorflow/tfjs-core" || specifier === "@tensorflow/tfjs-backend-cpu") {
    const { url } = await next(specifier, context);
    return { url: new URL("./index.js", url).href, format: "module", shortCircuit: true };
  }
  const parent = context.parentURL ?? "";
  if (specifier.startsWith("@tensorflow/tfjs-core/dist/") && !specifier.endsWith(".js")) {
    return next(`${specifier}.js`, context);
  }
  if (specifier.startsWith(".") && modulesOf.test(parent)) {
    const url = new URL(specifier, parent);
    for (const candidate of [`${url.href}.js`, `${url.href}/index.js`, url.href]) {
      if (existsSync(fileURLToPath(candidate)) && candidate.endsWith(".js")) {
        return { url: candidate, format: "module", shortCircuit: true };
      }
    }
  }
  return next(specifier, context);
};

export const load: LoadHook = async (url, context, next) => {
  if (modulesOf.test(url)) {
    // A namespace of a CommonJS module that is a function has no members: its default does.
    const source = readFileSync(fileURLToPath(url), "utf8").replace(
      /import \* as seedrandom from 'seedrandom'/,
      "import seedrandom from 'seedrandom'",
    );
    return { format: "module", source, shortCircuit: true };
  }
  return next(url, context);
};
