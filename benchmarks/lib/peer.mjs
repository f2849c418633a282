// @ts-check
// A contender in a process of its own, which does one task when it is asked to and says how long it took.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** The Python environment that `npm run setup:peers` makes for PyTorch; git ignores it. */
export const peerEnvironment = join(import.meta.dirname, "..", "..", ".metastate", "peers", "python");

/** Its interpreter. */
export const peerInterpreter =
  process.platform === "win32"
    ? join(peerEnvironment, "Scripts", "python.exe")
    : join(peerEnvironment, "bin", "python");

/** Its interpreter where it is there, what is called python3 otherwise. */
export function peerPython() {
  return existsSync(peerInterpreter) ? peerInterpreter : "python3";
}

/** A program of benchmarks/peers, waiting for tasks: its first line tells about it, in JSON; each later one answers one. */
export class Peer {
  /** @type {import("node:child_process").ChildProcess} */
  #process;
  /** @type {AsyncIterator<string>} */
  #lines;

  /**
   * @param {import("node:child_process").ChildProcess} process
   * @param {AsyncIterator<string>} lines
   * @param {Record<string, string | number>} about
   */
  constructor(process, lines, about) {
    this.#process = process;
    this.#lines = lines;
    this.about = about;
  }

  /**
   * Starts it. One that compiles an operator takes a minute the first time.
   *
   * @param {string} command
   * @param {string[]} args
   * @returns {Promise<Peer | {reason: string}>}
   */
  static async start(command, args) {
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
    let errors = "";
    child.stderr.on("data", (part) => (errors += part));
    const failed = new Promise((resolve) => child.on("error", (error) => resolve({ reason: error.message })));
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const first = lines.next().then(({ value, done }) => {
      if (done) return { reason: errors.trim().split("\n").at(-1) ?? "it ended" };
      return new Peer(child, lines, JSON.parse(value));
    });
    return /** @type {Promise<Peer | {reason: string}>} */ (Promise.race([failed, first]));
  }

  /**
   * One task; its milliseconds as the process measured them.
   *
   * @param {string} task a word or several that the program knows
   * @returns {Promise<number>}
   */
  async run(task) {
    this.#process.stdin?.write(`${task}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`the process ended at "${task}"`);
    return Number(value);
  }

  stop() {
    this.#process.stdin?.end();
  }
}
