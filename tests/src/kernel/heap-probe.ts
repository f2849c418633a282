/**
 * Loaded by Node.js (`--import`) into every thread of a kernel: on SIGUSR2 each collects its garbage, and writes to
 * `$HEAP_PROBE/<pid>.jsonl` how much of its heap is in use then. Which processes there are is in `$HEAP_PROBE/processes.jsonl`.
 */
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { setFlagsFromString, getHeapStatistics } from "node:v8";
import { runInNewContext } from "node:vm";
import { BroadcastChannel, isMainThread, threadId } from "node:worker_threads";

/** What a thread writes. */
export interface HeapSample {
  readonly thread: number;
  /** Bytes of JavaScript objects that are reachable. */
  readonly used: number;
}

/** A process of a kernel. */
export interface ProbedProcess {
  readonly pid: number;
  readonly parent: number;
  /** Path of its main module. */
  readonly script: string;
}

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const folder = process.env["HEAP_PROBE"] ?? ".";

function sample(): void {
  // What finalisers let go of is found by the next collection.
  for (let i = 0; i < 3; i++) collect();
  const line: HeapSample = { thread: threadId, used: getHeapStatistics().used_heap_size };
  appendFileSync(join(folder, `${process.pid}.jsonl`), `${JSON.stringify(line)}\n`);
}

const channel = new BroadcastChannel("heap-probe");
// Node's types do not know that it can be without holding the thread up.
(channel as unknown as { unref(): void }).unref();
if (isMainThread) {
  const about: ProbedProcess = { pid: process.pid, parent: process.ppid, script: process.argv[1] ?? "" };
  appendFileSync(join(folder, "processes.jsonl"), `${JSON.stringify(about)}\n`);
  process.on("SIGUSR2", () => {
    channel.postMessage("sample");
    sample();
  });
} else channel.onmessage = sample;
