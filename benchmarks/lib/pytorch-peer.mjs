// @ts-check
// The models in PyTorch, in a process of its own that does one step when it is asked to.

import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** A model of benchmarks/peers/pytorch_models.py, waiting for tasks. */
export class PyTorchPeer {
  /** @type {import("node:child_process").ChildProcess} */
  #process;
  /** @type {AsyncIterator<string>} */
  #lines;

  /**
   * @param {import("node:child_process").ChildProcess} process
   * @param {AsyncIterator<string>} lines
   * @param {{torch: string, threads: number, parameters: number}} about
   */
  constructor(process, lines, about) {
    this.#process = process;
    this.#lines = lines;
    this.about = about;
  }

  /**
   * Starts it; compiling the operator takes a minute the first time.
   *
   * @param {string} python
   * @param {object} configuration
   * @returns {Promise<PyTorchPeer | {reason: string}>}
   */
  static async start(python, configuration) {
    const script = join(import.meta.dirname, "..", "peers", "pytorch_models.py");
    const child = spawn(python, [script, JSON.stringify(configuration)], { stdio: ["pipe", "pipe", "pipe"] });
    let errors = "";
    child.stderr.on("data", (part) => (errors += part));
    const failed = new Promise((resolve) => child.on("error", (error) => resolve({ reason: error.message })));
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const first = lines.next().then(({ value, done }) => {
      if (done) return { reason: errors.trim().split("\n").at(-1) ?? "it ended" };
      return new PyTorchPeer(child, lines, JSON.parse(value));
    });
    return /** @type {Promise<PyTorchPeer | {reason: string}>} */ (Promise.race([failed, first]));
  }

  /**
   * One training step, or one token; its milliseconds as the process measured them.
   *
   * @param {"train" | "token"} task
   * @returns {Promise<number>}
   */
  async run(task) {
    this.#process.stdin?.write(`${task}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("the PyTorch process ended");
    return Number(value);
  }

  stop() {
    this.#process.stdin?.end();
  }
}
