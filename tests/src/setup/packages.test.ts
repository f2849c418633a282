/** The library and its engines as packages: what npm would publish is whole, and works in a project of somebody else's. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { root, surroundings } from "../environment.js";
import { installPacked, isUnwanted, linkDependencies, packPackage, type Packed } from "../packed.js";
import { run } from "../program.js";

const program = `
import { addonStatus, nativeEngine } from "@metastate/kernels-cuda";
import * as ms from "metastate";
ms.registerEngine(nativeEngine);
await ms.startEngine({ log: () => undefined });
const tokenizer = ms.byteTokenizer();
const model = ms.createModel({ vocabSize: 256, width: 8, layers: 1, headSize: 8, parameterTokens: 8 }, { seed: 1 });
const batches = ms.data.batches(tokenizer.encode("to be or not to be "), { batchSize: 1, length: 8 });
const losses: number[] = [];
for await (const { loss } of ms.train(model, batches, { steps: 2 })) losses.push(loss);
const [text] = await ms.generate(model, { prompt: "to", tokenizer, tokens: 3 }).texts();
const status = addonStatus();
const figure: ms.Figure = ms.plots.loss([{ step: 1, loss: losses[0]! }]);
console.log(JSON.stringify([losses.length, text?.tokens.length, status.loaded ? "" : status.remedy, figure instanceof ms.Figure]));
`;

describe("the packages metastate and @metastate/kernels-cuda", { timeout: 300_000 }, () => {
  let folder: string;
  const packed = new Map<string, Packed>();

  before(async () => {
    // The real path: Node.js says of modules where they are, not how they were reached.
    folder = realpathSync(mkdtempSync(join(tmpdir(), "metastate packages ")));
    for (const workspace of ["lib", "kernels-cuda"]) packed.set(workspace, await packPackage(workspace, folder));
  });

  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  for (const workspace of ["lib", "kernels-cuda"]) {
    it(`${workspace} holds what is run, its types and its papers, and no tests`, () => {
      const { files } = packed.get(workspace)!;
      const paths = files.map(({ path }) => path);
      for (const path of ["README.md", "LICENSE", "package.json", "dist/index.js", "dist/index.d.ts"]) {
        assert.ok(paths.includes(path), path);
      }
      assert.deepEqual(files.filter(isUnwanted), []);
      const licence = (of: string): string => readFileSync(join(root, of, "LICENSE"), "utf8");
      assert.equal(licence(workspace), licence("."), "one licence");
    });
  }

  it("train a model in a project of their own, with types, and say where the native engine comes from", async () => {
    const modules = join(folder, "node_modules");
    await installPacked(packed.get("lib")!, join(modules, "metastate"));
    await installPacked(packed.get("kernels-cuda")!, join(modules, "@metastate", "kernels-cuda"));
    linkDependencies("lib", modules);
    linkDependencies("kernels-cuda", modules);
    writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", private: true }));
    writeFileSync(join(folder, "program.ts"), program);
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    // skipLibCheck, as every project with tfjs needs it.
    const options = ["--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck"];
    const compiled = await run(process.execPath, [tsc, ...options, "program.ts"], { cwd: folder });
    assert.equal(compiled.status, 0, compiled.stdout);
    const env = surroundings({ METASTATE_BACKEND: undefined, METASTATE_NATIVE_ADDON: undefined });
    const { status, stdout, stderr } = await run(process.execPath, ["program.js"], { cwd: folder, env });
    assert.equal(status, 0, stderr);
    const [losses, tokens, remedy, isFigure] = JSON.parse(stdout) as [number, number, string, boolean];
    assert.deepEqual([losses, tokens, isFigure], [2, 3, true]);
    const required = `require("metastate").startEngine({ log() {} }).then(({ name }) => console.log(name))`;
    const { stdout: engine } = await run(process.execPath, ["--input-type=commonjs", "-e", required], {
      cwd: folder,
      env,
    });
    assert.equal(engine, "wasm\n", "CommonJS can require it");
    assert.match(remedy, /in a checkout of metastate \(npm run build:native there\).* METASTATE_NATIVE_ADDON/);
  });
});
