// @ts-check
// What a person sees of the set-up: one line a step, that lives while the step runs. Steps that run at once share it.
//
//   • npm packages … up to date
//   • Python environment … done (28.4 s)

import { relative } from "node:path";
import { Failure } from "./failure.mjs";
import { root } from "./checkout.mjs";

/** Seconds between the lines that say a long step lives, where a line cannot be rewritten (a file, a CI log). */
const HEARTBEAT = 15;

/** @typedef {{write(text: string): unknown, isTTY?: boolean, columns?: number}} Output */

/** A step that is running. What it reports last is shown beside the time it has taken. */
export class Step {
  /** @type {string} */
  latest = "";
  /** @type {string | undefined} */
  outcome;

  /** @param {string} text what is being done now; the last line of the tool that runs */
  report(text) {
    // A tool's colours and rewritten lines would break ours.
    // eslint-disable-next-line no-control-regex
    const plain = text.replace(/\x1b\[[\d;?]*[A-Za-z]/g, "").trim();
    if (plain) this.latest = plain;
  }

  /**
   * Nothing had to be done.
   *
   * @param {string} [detail]
   */
  upToDate(detail) {
    this.outcome = detail ? `up to date, ${detail}` : "up to date";
  }

  /**
   * How the step ended, where "done" does not say enough.
   *
   * @param {string} text
   */
  result(text) {
    this.outcome = text;
  }
}

/** The lines of one command, from its first step to its last. */
export class Progress {
  /** What is shown of each step that runs, on a terminal. @type {Set<() => string>} */
  #running = new Set();
  /** @type {NodeJS.Timeout | undefined} */
  #timer;

  /** @param {Output} [out] */
  constructor(out = process.stdout) {
    this.out = out;
  }

  /** @param {string} line */
  note(line) {
    this.out.write(`${this.#running.size > 0 ? "\r\x1b[K" : ""}${line}\n`);
  }

  /**
   * Runs one step and shows it. A failure is shown too, and thrown on.
   *
   * @template T
   * @param {string} name
   * @param {(step: Step) => Promise<T> | T} work
   * @returns {Promise<T>}
   */
  async step(name, work) {
    const step = new Step();
    const started = performance.now();
    const seconds = () => (performance.now() - started) / 1000;
    const stopShowing = this.#show(name, step, seconds);
    try {
      const value = await work(step);
      stopShowing();
      this.note(`• ${name} … ${step.outcome ?? `done (${seconds().toFixed(1)} s)`}`);
      return value;
    } catch (error) {
      stopShowing();
      this.note(`• ${name} … failed after ${seconds().toFixed(1)} s`);
      throw error;
    }
  }

  /**
   * Shows that a step lives until the returned function is called.
   *
   * @param {string} name
   * @param {Step} step
   * @param {() => number} seconds
   * @returns {() => void}
   */
  #show(name, step, seconds) {
    const { out } = this;
    if (!out.isTTY) {
      const timer = setInterval(() => {
        out.write(`  ${name}: ${seconds().toFixed(0)} s ${step.latest}`.slice(0, 118).trimEnd() + "\n");
      }, HEARTBEAT * 1000);
      return () => clearInterval(timer);
    }
    const line = () => `• ${name} … ${seconds().toFixed(0)} s ${step.latest}`.trimEnd();
    this.#running.add(line);
    this.#draw();
    this.#timer ??= setInterval(() => this.#draw(), 250);
    return () => {
      this.#running.delete(line);
      if (this.#running.size === 0) {
        clearInterval(this.#timer);
        this.#timer = undefined;
      }
      out.write("\r\x1b[K");
    };
  }

  /** Rewrites the line of the steps that run; each has as much of it as the others. */
  #draw() {
    const width = Math.floor(((this.out.columns ?? 80) - 1) / this.#running.size);
    const parts = Array.from(this.#running, (line) => {
      const text = line().slice(0, width - 1);
      return text.padEnd(width);
    });
    this.out.write(`\r\x1b[K${parts.join("").trimEnd()}`);
  }
}

/**
 * A failure as it is printed: cause, remedy, the log, and the tool's last words where nothing better is known.
 *
 * @param {unknown} error
 * @returns {string}
 */
export function describe(error) {
  if (!(error instanceof Failure)) {
    // Our own mistake: the stack is what helps.
    return `  cause   ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  }
  const lines = [`  cause   ${error.reason}`, `  remedy  ${error.remedy}`];
  if (error.log) lines.push(`  log     ${shortPath(error.log)}`);
  const last = (error.output ?? "").trimEnd().split("\n").slice(-15);
  if (last.join("")) lines.push("", ...last.map((line) => `    ${line}`));
  return lines.join("\n");
}

/**
 * A path as a person in the checkout would type it.
 *
 * @param {string} path
 * @returns {string}
 */
export function shortPath(path) {
  const inside = relative(root, path);
  return inside && !inside.startsWith("..") ? inside : path;
}
