/** `%timeit`: how long an expression takes, from many evaluations of it. */
import { setImmediate as turn } from "node:timers/promises";
import { types } from "node:util";
import { interruptible } from "./interrupts.js";
import { duration } from "./timer.js";

/** Milliseconds that a run takes at least, so that the clock's own time counts for nothing. */
const SHORTEST_RUN = 100;
const RUNS = 7;
/** Milliseconds after which a run is long enough for a few of them to do. */
const LONG_RUN = 1000;
const FEW_RUNS = 3;

/** Evaluates the expression once. */
type Call = () => unknown;

/** The last value: an engine that sees that nobody takes it would compute nothing. */
let last: unknown;

/** Times a call and says, in a line, what came out. A promise is awaited. */
export async function timeCalls(call: Call): Promise<string> {
  // Once unmeasured: modules are loaded, code is compiled, caches fill.
  last = call();
  const asynchronous = types.isPromise(last);
  if (asynchronous) await interruptible(last);
  const run = async (count: number): Promise<number> => {
    // Here output has its turn, and so has an interrupt.
    await interruptible(turn());
    const start = performance.now();
    if (asynchronous) for (let i = 0; i < count; i++) await interruptible(call());
    else for (let i = 0; i < count; i++) last = call();
    return performance.now() - start;
  };
  let count = 1;
  let time = await run(count);
  // 1, 2, 5, 10, 20, 50, …
  for (let step = 0; time < SHORTEST_RUN; step++) {
    count *= step % 3 === 1 ? 2.5 : 2;
    time = await run(count);
  }
  const runs = time < LONG_RUN ? RUNS : FEW_RUNS;
  const times: number[] = [];
  while (times.length < runs) times.push((await run(count)) / count);
  last = undefined;
  const mean = times.reduce((sum, x) => sum + x, 0) / runs;
  const deviation = Math.sqrt(times.reduce((sum, x) => sum + (x - mean) ** 2, 0) / runs);
  const calls = `${count.toLocaleString("en")} ${count === 1 ? "call" : "calls"}`;
  return `${duration(mean)} ± ${duration(deviation)} a call (${runs} runs of ${calls}, the fastest ${duration(Math.min(...times))})\n`;
}
