/**
 * Two thousand cells: memory of all processes stays as it is, and a cell takes as long at the end as at the beginning.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { KernelClient } from "../client.js";
import { bareKernel } from "../environment.js";
import type { HeapSample, ProbedProcess } from "./heap-probe.js";
import { resultOf } from "./results.js";

const CELLS = 2000;
/** Cells until caches are full and V8 has compiled what is hot. */
const WARM_UP = 300;
const WINDOW = 100;
const SLOWER = 1.5;
/**
 * Bytes that a cell may leave behind in a thread's heap. The session keeps the text of the last cells for tracebacks and
 * the front the inputs for its history, each up to a number; a leaked syntax tree or scope of a cell is far larger.
 */
const LEFT_BEHIND = 6_000;

let folder: string;
let kernel: KernelClient;
const kernels: KernelClient[] = [];

async function start(): Promise<KernelClient> {
  const probe = new URL("./heap-probe.js", import.meta.url).href;
  // With no snapshot of the language process yet: nothing is imported into one that starts from a snapshot.
  const env = { NODE_OPTIONS: `--import ${probe}`, HEAP_PROBE: folder, XDG_CACHE_HOME: folder };
  const started = await KernelClient.start({ spec: bareKernel(), env });
  kernels.push(started);
  return started;
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "metastate-soak-"));
  kernel = await start();
});

after(async () => {
  for (const each of kernels) await each.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** What a cell of the soak does, and how it ends. */
interface Cell {
  readonly code: string;
  readonly ends: "ok" | "error";
}

/** Ten kinds in turn. Some names are new with each cell, some are declared again. */
function cell(i: number): Cell {
  const ok = (code: string): Cell => ({ code, ends: "ok" });
  const error = (code: string): Cell => ({ code, ends: "error" });
  switch (i % 10) {
    case 0:
      return ok(`const value${i} = { number: ${i}, text: "cell ${i}" }; value${i}.number * 2`);
    case 1:
      return ok(`let shared = ${i}; shared`);
    case 2:
      return ok(`function add${i}(x: number): number { return x + ${i} }\nadd${i}(1)`);
    case 3:
      return ok(
        `class Thing { constructor(readonly value = ${i}) {} double(): number { return this.value * 2 } }\nnew Thing()`,
      );
    case 4:
      return ok(`for (let line = 0; line < 20; line++) console.log("line", line); console.error("error ${i}")`);
    case 5:
      return ok(`display.html("<b>${i}</b>").update("${i}")`);
    case 6:
      return error(`throw new Error("expected ${i}")`);
    case 7:
      return ok(`await new Promise((resolve) => setTimeout(resolve, 0)); [${i}].map((n) => n + 1)`);
    case 8:
      return error(`const wrong: string = ${i}`);
    default:
      return ok(
        `import { join } from "node:path"; type Pair = [string, number]; const pair: Pair = [join("a", "${i}"), ${i}]; pair`,
      );
  }
}

/** Runs a cell of the soak, with what an editor asks meanwhile, and tells how long the cell took. */
async function step(of: KernelClient, i: number): Promise<number> {
  const { code, ends } = cell(i);
  const { reply, duration, error } = await of.execute(code, { stopOnError: false });
  assert.equal(reply["status"], ends, `${code}: ${error?.text}`);
  if (i % 10 === 5) {
    const code = "value0.tex";
    const { content } = await of.request("shell", "complete_request", { code, cursor_pos: code.length });
    assert.deepEqual(content["matches"], ["text"]);
  }
  if (i % 50 === 7) await of.request("shell", "inspect_request", { code: "Thing", cursor_pos: 2, detail_level: 0 });
  return duration;
}

/** The heaps of all threads of front, language process and session, after a collection. The interrupt thread has next to nothing. */
async function heaps(of: KernelClient): Promise<Record<string, number>> {
  const session = Number(resultOf(await of.execute("process.pid", { storeHistory: false })));
  const processes = lines<ProbedProcess>(join(folder, "processes.jsonl"));
  const language = processes.find(({ parent, script }) => parent === of.pid && /language.main\.js$/.test(script));
  const samples: Record<string, number> = {};
  for (const [pid, ...threads] of [
    [of.pid, "front"],
    [language?.pid ?? 0, "language"],
    [session, "session", "interrupts"],
  ] as const) {
    const file = join(folder, `${pid}.jsonl`);
    rmSync(file, { force: true });
    process.kill(pid, "SIGUSR2");
    for (let wait = 0; lines(file).length < threads.length; wait++) {
      assert.ok(wait < 600, `${threads[0]} has told of its heaps within a minute`);
      await sleep(100);
    }
    for (const { thread, used } of lines<HeapSample>(file)) samples[threads[thread === 0 ? 0 : 1] ?? "?"] = used;
  }
  return samples;
}

function lines<T>(file: string): T[] {
  if (!existsSync(file)) return [];
  const text = readFileSync(file, "utf8").split("\n").slice(0, -1);
  return text.map((line) => JSON.parse(line) as T);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
}

/** Durations of a window of cells on an old and on a new kernel in turn: what else the machine does strikes both. */
async function oldAgainstNew(old: KernelClient): Promise<number> {
  const fresh = await start();
  for (let i = 0; i < WARM_UP; i++) await step(fresh, i);
  const durations: [number[], number[]] = [[], []];
  for (let i = 0; i < WINDOW; i++) {
    durations[0].push(await step(old, CELLS + i));
    durations[1].push(await step(fresh, WARM_UP + i));
  }
  return median(durations[0]) / median(durations[1]);
}

it("2,000 cells leave memory as it was, and the last are as quick as the first", { timeout: 900_000 }, async (t) => {
  const durations: number[] = [];
  const middle: Record<string, number> = {};
  for (let i = 0; i < CELLS; i++) {
    durations.push(await step(kernel, i));
    if (i === CELLS / 2 - 1) Object.assign(middle, await heaps(kernel));
  }
  const end = await heaps(kernel);

  const windows = [durations.slice(WARM_UP, WARM_UP + WINDOW), durations.slice(-WINDOW)] as const;
  const [first, last] = windows.map(median) as [number, number];
  let ratio = last / first;
  t.diagnostic(`median of a cell: ${first.toFixed(1)} ms at first, ${last.toFixed(1)} ms at last`);
  if (ratio >= SLOWER) {
    ratio = await oldAgainstNew(kernel);
    t.diagnostic(`once more, beside a new kernel: ${ratio.toFixed(2)} times as long`);
  }

  const grown = Object.keys(end).map((thread) => {
    const perCell = ((end[thread] ?? NaN) - (middle[thread] ?? NaN)) / (CELLS / 2);
    t.diagnostic(`${thread}: ${((end[thread] ?? NaN) / 1e6).toFixed(1)} MB, ${perCell.toFixed(0)} bytes a cell`);
    return { thread, perCell };
  });
  assert.deepEqual(Object.keys(end).sort(), ["front", "interrupts", "language", "session"]);
  for (const { thread, perCell } of grown)
    assert.ok(perCell < LEFT_BEHIND, `${thread} grows by ${perCell} bytes a cell`);
  assert.ok(ratio < SLOWER, `a cell takes ${ratio} times as long after ${CELLS} others`);
});
