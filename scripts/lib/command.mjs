// @ts-check
// Other programs, run so that a person sees they live, and so that all they said is kept for the day they fail.

import { execFile, spawn } from "node:child_process";
import { mkdirSync, writeFileSync, appendFileSync } from "node:fs";
import { join } from "node:path";
import { logs, root } from "./checkout.mjs";
import { Failure } from "./failure.mjs";
import { explain } from "./known-failures.mjs";

/** The file that holds all the output of one step's tools, made new in every run. */
export class Log {
  /** @param {string} name such as "npm" */
  constructor(name) {
    this.path = join(logs, `${name}.log`);
    this.#write(() => {
      mkdirSync(logs, { recursive: true });
      writeFileSync(this.path, "");
    });
  }

  /** @param {string} text */
  append(text) {
    this.#write(() => appendFileSync(this.path, text));
  }

  /**
   * A full disk or a read-only checkout must not hide the failure that it causes: without its log a step goes on.
   *
   * @param {() => void} action
   */
  #write(action) {
    try {
      action();
    } catch {
      // Nothing to be done; the output is also held in memory.
    }
  }
}

/**
 * @typedef {object} RunOptions
 * @property {string} tool the program as a person knows it: "npm", "pip"
 * @property {import("./progress.mjs").Step} step shows the program's last line
 * @property {Log} log
 * @property {string} [cwd] the root of the checkout unless told
 * @property {NodeJS.ProcessEnv} [env]
 */

/**
 * Runs a program to its end and returns what it printed.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {RunOptions} options
 * @returns {Promise<string>}
 * @throws {Failure} when it cannot be started, or ends with another status than 0
 */
export function run(command, args, { tool, step, log, cwd = root, env = process.env }) {
  log.append(`$ ${[command, ...args].join(" ")}\n`);
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    /** @param {string} text */
    const take = (text) => {
      output += text;
      log.append(text);
      const lines = text.split(/[\r\n]+/).filter((line) => line.trim());
      const last = lines.at(-1);
      if (last) step.report(last);
    };
    child.stdout.setEncoding("utf8").on("data", take);
    child.stderr.setEncoding("utf8").on("data", take);
    child.on("error", (error) => {
      reject(new Failure(`${tool} cannot be started: ${error.message}`, `install ${tool}, or put it on the PATH`));
    });
    child.on("close", (code, signal) => {
      if (code === 0) resolve(output);
      else reject(explain({ tool, output, code, signal, log: log.path }));
    });
  });
}

/**
 * Asks a program something small; undefined when it cannot answer.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{timeout?: number}} [options] timeout in milliseconds
 * @returns {Promise<string | undefined>} what it printed on standard output
 */
export function ask(command, args, { timeout = 20_000 } = {}) {
  return new Promise((resolve) => {
    execFile(command, args, { cwd: root, timeout, encoding: "utf8" }, (error, output) => {
      resolve(error ? undefined : output);
    });
  });
}
