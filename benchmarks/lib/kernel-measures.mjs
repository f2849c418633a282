// @ts-check
// What is measured of a kernel, one function a row of the table: each does it once and tells a number, or in words why there is none.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** @typedef {import("./kernels.mjs").Kernel} Kernel */
/** @typedef {import("../../tests/dist/client.js").KernelClient} KernelClient */
/** @typedef {typeof import("../../tests/dist/client.js").KernelClient} KernelClientClass */
/** @typedef {import("../../tests/dist/client.js").Execution} Execution */
/** @typedef {import("../../tests/dist/client.js").Message} Message */

/**
 * What came of doing it once. `values` are numbers in the row's unit; `said` is what the reader is told beside them, or
 * in their place; after `broken` the kernel is started anew.
 *
 * @typedef {object} Outcome
 * @property {number[]} [values]
 * @property {string} [said]
 * @property {boolean} [broken]
 */

/**
 * @typedef {object} Measure
 * @property {string} what
 * @property {"ms" | "MB" | ""} unit
 * @property {number} repetitions
 * @property {boolean} [fresh] whether each repetition starts a kernel of its own
 * @property {(kernel: Contender) => Promise<Outcome>} once
 */

/** A kernel that is measured, started when it is first needed and again after it was broken. */
export class Contender {
  /** @type {KernelClient | undefined} */
  #client;
  /** @type {KernelClientClass} */
  #KernelClient;

  /**
   * @param {Kernel} kernel
   * @param {KernelClientClass} client
   */
  constructor(kernel, client) {
    this.kernel = kernel;
    this.#KernelClient = client;
  }

  get cells() {
    return this.kernel.cells;
  }

  /** @param {Record<string, string>} [env] */
  async start(env) {
    await this.stop();
    // Certificates of a network's own, which Node reads in each of its processes as it starts: 40 ms.
    const surroundings = { NODE_EXTRA_CA_CERTS: undefined, ...env };
    const client = await this.#KernelClient.start({ spec: this.kernel.spec, env: surroundings, validate: false });
    this.#client = client;
    return client;
  }

  async client() {
    return this.#client ?? (await this.start());
  }

  async interrupt() {
    const client = await this.client();
    if (this.kernel.interrupt === "message") await client.interrupt();
    else client.kill("SIGINT");
  }

  async stop() {
    const client = this.#client;
    this.#client = undefined;
    await client?.stop();
  }
}

/** How long a kernel may take for what others do in a fraction of a second. */
const PATIENCE = 20_000;

/**
 * Runs a cell that may hang or end its kernel.
 *
 * @param {Contender} contender
 * @param {string} code
 * @param {{timeout?: number, onOutput?: (message: import("../../tests/dist/client.js").Message) => void}} [options]
 * @returns {Promise<Execution | undefined>} undefined when no reply or no idle came
 */
async function attempt(contender, code, { timeout = PATIENCE, onOutput } = {}) {
  const client = await contender.client();
  try {
    return await client.execute(code, { timeout, stopOnError: false, onOutput });
  } catch {
    return undefined;
  }
}

/**
 * @param {Contender} contender
 * @param {string} code
 */
async function run(contender, code) {
  const ran = await (await contender.client()).execute(code, { timeout: PATIENCE, stopOnError: false });
  assert.equal(ran.reply["status"], "ok", `${code}: ${JSON.stringify(ran.reply)}`);
  return ran;
}

/**
 * @param {Contender} contender
 * @param {readonly [code: string, match: string]} wanted
 * @returns {Promise<Outcome>}
 */
async function complete(contender, [code, match], timeout = PATIENCE) {
  const client = await contender.client();
  const begin = performance.now();
  const { content } = await client.request("shell", "complete_request", { code, cursor_pos: code.length }, timeout);
  const values = [performance.now() - begin];
  const matches = /** @type {unknown[]} */ (content["matches"] ?? []);
  return matches.some((text) => String(text).includes(match)) ? { values } : { said: `does not offer "${match}"` };
}

/**
 * Starts a kernel, and tells how long until it has answered something.
 *
 * @param {(contender: Contender) => Promise<unknown>} first
 * @returns {Measure["once"]}
 */
const startUntil = (first) => async (contender) => {
  const begin = performance.now();
  const client = await contender.start();
  // The client waits a moment longer than the kernel needs, for its subscription to stand; that is not the kernel's.
  const ready = client.readyAfter;
  const asked = performance.now();
  await first(contender);
  assert.ok(asked - begin >= ready);
  return { values: [ready + (performance.now() - asked)] };
};

/**
 * @param {number} calls
 * @param {(contender: Contender, n: number) => Promise<Outcome>} once
 * @returns {Measure["once"]}
 */
const many = (calls, once) => {
  let n = 0;
  return async (contender) => {
    for (let warm = 0; warm < 10; warm++) await once(contender, ++n);
    const values = [];
    for (let call = 0; call < calls; call++) {
      const outcome = await once(contender, ++n);
      if (outcome.values === undefined) return outcome;
      values.push(...outcome.values);
    }
    return { values };
  };
};

/**
 * Runs a cell with much output and looks whether all of it came.
 *
 * @param {(contender: Contender) => string} code
 * @param {(text: string) => string | undefined} flaw what is wrong with the output
 * @returns {Measure["once"]}
 */
const flood = (code, flaw) => async (contender) => {
  let seen = "";
  const onOutput = (/** @type {Message} */ { type, content }) => {
    if (type === "stream") seen += String(content["text"]);
  };
  const ran = await attempt(contender, code(contender), { onOutput });
  // What comes after idle is lost to a front end that goes by the protocol.
  const wrong = flaw(seen);
  if (ran === undefined) {
    return {
      said: `idle never came within ${PATIENCE / 1000} s${wrong === undefined ? "" : `; ${wrong}`}`,
      broken: true,
    };
  }
  return wrong === undefined ? { values: [ran.duration] } : { said: wrong, broken: true };
};

/**
 * Interrupts a cell that has printed.
 *
 * @param {(contender: Contender) => string | undefined} code
 * @returns {Measure["once"]}
 */
const interrupt = (code) => async (contender) => {
  const cell = code(contender);
  if (cell === undefined) return { said: "–" };
  await run(contender, contender.cells.keep);
  const client = await contender.client();
  /** @type {(value?: unknown) => void} */
  let begun = () => {};
  const begins = new Promise((resolve) => (begun = resolve));
  const running = client.execute(cell, { timeout: 10_000, stopOnError: false, onOutput: () => begun() }).then(
    (ran) => ran,
    (/** @type {Error} */ error) => error,
  );
  await Promise.race([begins, sleep(3_000)]);
  await sleep(100);
  const asked = performance.now();
  await contender.interrupt();
  const ran = await running;
  const values = [performance.now() - asked];
  if (ran instanceof Error) {
    return {
      said: /it ended with/.test(ran.message) ? "the kernel dies" : "the cell does not end within 10 s",
      broken: true,
    };
  }
  const kept = await attempt(contender, contender.cells.kept);
  const ename = String(ran.reply["ename"] || ran.error?.ename || "no ename");
  // Not by what it prints, which some lose.
  const isKept = kept?.reply["status"] === "ok";
  return { values, said: `${ename}, variables ${isKept ? "kept" : "lost"}`, broken: !isKept };
};

/**
 * @param {(contender: Contender) => string | undefined} code
 * @param {(contender: Contender) => Record<string, string>} [env]
 * @returns {Measure["once"]}
 */
const crash = (code, env) => async (contender) => {
  const cell = code(contender);
  if (cell === undefined) return { said: "–" };
  if (env !== undefined) await contender.start(env(contender));
  const ran = await attempt(contender, cell, { timeout: 30_000 });
  if (ran === undefined) return { said: "no reply", broken: true };
  const next = await attempt(contender, contender.cells.keep, { timeout: 10_000 });
  const told = `${String(ran.reply["ename"] ?? ran.reply["status"])}`;
  return { said: `${told}; ${next?.reply["status"] === "ok" ? "the next cell runs" : "no next cell"}`, broken: true };
};

/** @type {Measure[]} */
export const measures = [
  { what: "ready", unit: "ms", repetitions: 5, fresh: true, once: startUntil(async () => {}) },
  {
    ...{ what: "start to first cell done", unit: "ms", repetitions: 5, fresh: true },
    once: startUntil((contender) => run(contender, "1+1")),
  },
  {
    ...{ what: "start to first completion", unit: "ms", repetitions: 5, fresh: true },
    once: startUntil((contender) => complete(contender, contender.cells.completion)),
  },
  {
    ...{ what: "memory, idle after the first cell", unit: "MB", repetitions: 3, fresh: true },
    once: async (contender) => {
      const client = await contender.start();
      await run(contender, "1+1");
      await sleep(2_000);
      const bytes = memoryOf(client.pid);
      return bytes === undefined ? { said: "–" } : { values: [bytes / 1e6] };
    },
  },
  {
    ...{ what: "round trip of 1+1", unit: "ms", repetitions: 5 },
    once: many(60, async (contender) => ({ values: [(await run(contender, "1+1")).duration] })),
  },
  {
    ...{ what: "round trip of a cell that is new and declares", unit: "ms", repetitions: 5 },
    once: many(40, async (contender, n) => ({ values: [(await run(contender, contender.cells.varying(n))).duration] })),
  },
  {
    ...{ what: "completion", unit: "ms", repetitions: 5 },
    once: many(40, (contender) => complete(contender, contender.cells.completion)),
  },
  {
    ...{ what: "completion of a member of a class from an earlier cell", unit: "ms", repetitions: 5 },
    once: async (contender) => {
      await run(contender, contender.cells.typed);
      return many(40, () => complete(contender, contender.cells.typedCompletion))(contender);
    },
  },
  {
    ...{ what: "20,000 lines", unit: "ms", repetitions: 5 },
    once: flood(
      ({ cells }) => cells.lines,
      (text) => {
        const lines = text.split("\n").slice(0, -1);
        if (lines.length !== 20_000) return `${lines.length.toLocaleString("en")} of 20,000 lines seen`;
        return lines.every((line, i) => line === String(i)) ? undefined : "out of order";
      },
    ),
  },
  {
    ...{ what: "one line of 20 MB", unit: "ms", repetitions: 5 },
    once: flood(
      ({ cells }) => cells.longLine,
      (text) =>
        text.length === 20_000_001 ? undefined : `${text.length.toLocaleString("en")} of 20,000,001 characters seen`,
    ),
  },
  {
    ...{ what: "output of a cell that computes, until it is seen", unit: "ms", repetitions: 5 },
    once: async (contender) => {
      let late = NaN;
      const onOutput = (/** @type {Message} */ { type, content }) => {
        if (type === "stream" && Number.isNaN(late)) late = Date.now() - Number(String(content["text"]).trim());
      };
      const ran = await attempt(contender, contender.cells.early, { onOutput });
      if (ran === undefined) return { said: `idle never came within ${PATIENCE / 1000} s`, broken: true };
      return Number.isNaN(late) ? { said: "not seen" } : { values: [late] };
    },
  },
  {
    ...{ what: "completion while a cell computes for 2 s", unit: "ms", repetitions: 5 },
    once: async (contender) => {
      const running = attempt(contender, contender.cells.busy);
      await sleep(300);
      const outcome = await complete(contender, contender.cells.completion).catch(() => ({
        said: "no reply",
        broken: true,
      }));
      await running;
      return outcome;
    },
  },
  {
    ...{ what: "interrupt of an endless loop", unit: "ms", repetitions: 5 },
    once: interrupt(({ cells }) => cells.loop),
  },
  {
    ...{ what: "interrupt of the await of a long timer", unit: "ms", repetitions: 5 },
    once: interrupt(({ cells }) => cells.timer),
  },
  {
    ...{ what: "a rejection that comes after its cell", unit: "", repetitions: 1 },
    once: async (contender) => {
      const { rejection } = contender.cells;
      if (rejection === undefined) return { said: "–" };
      await run(contender, contender.cells.keep);
      const client = await contender.client();
      const seen = await client.whileListening(async () => {
        await run(contender, rejection);
        await sleep(1_500);
      });
      const shown = seen.some(
        ({ type, content }) => type !== "execute_input" && JSON.stringify(content).includes("too late"),
      );
      const kept = (await attempt(contender, contender.cells.kept))?.reply["status"] === "ok";
      return { said: `${shown ? "shown" : "swallowed"}; variables ${kept ? "kept" : "lost"}`, broken: !kept };
    },
  },
  { what: "native crash (process.abort())", unit: "", repetitions: 1, once: crash(({ cells }) => cells.abort) },
  { what: "process.exit()", unit: "", repetitions: 1, once: crash(({ cells }) => cells.exit) },
  {
    ...{ what: "JavaScript heap of 200 MB exhausted", unit: "", repetitions: 1 },
    once: crash(
      ({ cells }) => cells.heap,
      ({ kernel }) => kernel.smallHeap,
    ),
  },
];

/**
 * Memory of a process and all that it has started; what several share is counted once. Linux tells.
 *
 * @param {number} pid
 * @returns {number | undefined} bytes
 */
function memoryOf(pid) {
  try {
    const parents = new Map(
      readdirSync("/proc")
        .filter((name) => /^\d+$/.test(name))
        .map((name) => [Number(name), parentOf(name)]),
    );
    const family = [pid];
    for (const member of family) {
      for (const [child, parent] of parents) if (parent === member) family.push(child);
    }
    return family.reduce((sum, member) => sum + proportionalSetSize(member), 0);
  } catch {
    return undefined;
  }
}

/** @param {string} pid */
function parentOf(pid) {
  try {
    // The name, in brackets, may have anything in it.
    return Number(
      readFileSync(`/proc/${pid}/stat`, "utf8")
        .replace(/^.*\) /s, "")
        .split(" ")[1],
    );
  } catch {
    return undefined;
  }
}

/** @param {number} pid */
function proportionalSetSize(pid) {
  const match = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"));
  assert.ok(match);
  return Number(match[1]) * 1024;
}
