// @ts-check
import assert from "node:assert/strict";
import test from "node:test";
import { startOptions, testOptions } from "./options.mjs";

test("npm start opens JupyterLab with a browser on any port", () => {
  assert.deepEqual(startOptions([]), { kind: "lab", cuda: false, browser: true, port: undefined });
  assert.deepEqual(startOptions(["--no-browser", "--port", "8899"]), {
    kind: "lab",
    cuda: false,
    browser: false,
    port: 8899,
  });
});

test("--cuda asks for the CUDA engine, with either", () => {
  for (const args of [["--cuda"], ["--run", "a.ipynb", "--cuda"]]) {
    const options = startOptions(args);
    assert.ok(options.kind !== "help" && options.cuda);
  }
});

test("--run takes a notebook, another file for its outputs, and seconds", () => {
  assert.deepEqual(startOptions(["--run", "a.ipynb", "--output", "b.ipynb", "--timeout", "60"]), {
    kind: "run",
    cuda: false,
    notebook: "a.ipynb",
    output: "b.ipynb",
    timeout: 60,
  });
});

for (const [args, says] of /** @type {[string[], RegExp][]} */ ([
  [["--frobnicate"], /'--frobnicate'[^]*npm start -- --run NOTEBOOK/],
  [["--port", "http"], /--port takes a whole number from 1 to 65535, not "http"/],
  [["--port", "0"], /--port takes/],
  [["--timeout", "5"], /--timeout needs --run/],
  [["--output", "x.ipynb"], /--output needs --run/],
  [["--run", "a.ipynb", "--port", "1"], /--port is for JupyterLab/],
  [["notebooks/a.ipynb"], /npm start -- --run notebooks\/a\.ipynb/],
  [["--run"], /--run/],
])) {
  test(`npm start -- ${args.join(" ")} is refused with advice`, () => {
    assert.throws(() => startOptions(args), { name: "UsageError", message: says });
  });
}

test("npm test takes words, and refuses flags that it does not know", () => {
  assert.deepEqual(testOptions(["lib", "wkv7", "--no-lint"]), { help: false, lint: false, words: ["lib", "wkv7"] });
  assert.throws(() => testOptions(["--watch"]), { name: "UsageError", message: /'--watch'[^]*npm test -- lib kernel/ });
});
