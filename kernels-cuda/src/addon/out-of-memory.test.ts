/** Memory that ends in the middle of a call is an error that JavaScript gets, whichever thread asked for it; the next call works. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";
import { loadAddon } from "./load.js";
import { needsNative } from "../testing/native.js";

/** Enough for JavaScript, whose own want of memory would end the process, and less than what is asked for below. */
const room = 384 * 2 ** 20;

/** Runs `body` in a process that has no more than that beside what it has after `before`. */
function withLittleRoom(before: string, body: string): string {
  const addon = loadAddon();
  assert.ok("path" in addon);
  const script = `
    const { readFileSync } = require("node:fs");
    const { spawnSync } = require("node:child_process");
    const binding = require(${JSON.stringify(addon.path)});
    binding.configure({ threads: 4 });
    ${before}
    const has = 1024 * Number(/VmSize:\\s+(\\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]);
    const limit = has + ${room};
    const { status } = spawnSync("prlimit", ["--pid", String(process.pid), "--as=" + limit + ":" + limit]);
    if (status !== 0) throw new Error("prlimit ended with " + status);
    const refused = (call) => {
      try {
        call();
        return "nothing";
      } catch (error) {
        return error.message;
      }
    };
    ${body}`;
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ["-e", script], {
    encoding: "utf8",
    // Else each thread that asks for memory takes 64 MiB of addresses first.
    env: { ...process.env, MALLOC_ARENA_MAX: "1" },
  });
  assert.equal(status, 0, `${signal}: ${stderr.slice(0, 2000)}`);
  return stdout;
}

const needsLimits = {
  skip:
    needsNative.skip ||
    (process.env["METASTATE_EMULATED_NODE"] !== undefined && "a limit would be the emulator's") ||
    (process.env["LD_PRELOAD"]?.includes("asan") === true && "AddressSanitizer takes all addresses for itself") ||
    (spawnSync("prlimit", ["--version"]).status !== 0 && "there is no prlimit"),
};

test("no room for the scratch of a task, on all threads at once, is an error", needsLimits, () => {
  // Each task orders its row by 512 MiB of places.
  const before = `
    const rows = 4, width = 2 ** 27;
    const x = new Float32Array(rows * width), values = new Float32Array(rows), places = new Int32Array(rows);`;
  const body = `
    console.log(refused(() => binding.topK(rows, width, 1, x, values, places)));
    binding.topK(1, 4, 2, Float32Array.of(1, 4, 2, 3), values.subarray(0, 2), places.subarray(0, 2));
    console.log(...values.subarray(0, 2), ...places.subarray(0, 2));`;
  assert.equal(withLittleRoom(before, body), "out of memory: no room for a native kernel's scratch\n4 3 1 3\n");
});

test("after a product that had no room to pack, a smaller one has it", needsLimits, () => {
  // Each of so many threads packs more than a MiB.
  const before = `
    binding.configure({ threads: 512 });
    binding.measurePeak(1);
    const n = 512, batch = 2048, a = new Float32Array(n * n), c = new Float32Array(batch * n * n);
    const first = new Array(batch).fill(0);
    const ones = new Float32Array(640 * 640).fill(1), product = new Float32Array(640 * 640);`;
  const body = `
    console.log(refused(() => binding.matMul(batch, n, n, n, true, false, a, a, c, first, first)));
    binding.configure({ threads: 2 });
    binding.matMul(1, 640, 640, 640, false, false, ones, ones, product);
    console.log(product[0], product[640 * 640 - 1]);`;
  assert.equal(withLittleRoom(before, body), "out of memory: no room for a native kernel's scratch\n640 640\n");
});

test("threads that the system does not give are told with the remedy", needsLimits, () => {
  const body = `
    binding.configure({ threads: 1000 });
    const x = new Float32Array(1);
    console.log(refused(() => binding.unary(0, x, x, 0, 0)));
    binding.configure({ threads: 1 });
    binding.unary(0, x, x, 0, 0);
    console.log(x[0]);`;
  assert.match(
    withLittleRoom("", body),
    /^the system gives no 1000 threads .*: set METASTATE_THREADS to fewer.*\n1\n$/,
  );
});
