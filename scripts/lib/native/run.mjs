// @ts-check
// Runs what builds the addons, and says why there is no build.

import { spawn } from "node:child_process";

/** What the reader runs when a remedy was followed. */
export const again = "npm run build:native";

/**
 * @typedef {object} Surroundings
 * @property {(line: string) => void} log takes lines for a person: what is being done, and errors of the compiler, whole
 * @property {NodeJS.ProcessEnv} env PATH and CXX are looked at, and what is run gets all of it
 */

/** Why there is no build, and what to do: thrown within, returned to the caller of buildNative. */
export class CannotBuild extends Error {
  /**
   * @param {string} reason
   * @param {string} remedy
   */
  constructor(reason, remedy) {
    super(reason);
    this.remedy = remedy;
  }
}

/**
 * Runs a program quietly; when it fails, its whole output goes to the log.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {Surroundings} settings
 * @param {string} failure what it means that it failed
 * @returns {Promise<void>}
 */
export function run(program, args, { log, env }, failure) {
  return new Promise((resolve, reject) => {
    let output = "";
    const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    const keep = (/** @type {Buffer} */ bytes) => {
      output += bytes.toString();
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.on("error", (error) =>
      reject(new CannotBuild(`${failure}: ${error.message}`, `see to ${program}, then run ${again}`)),
    );
    child.on("close", (code, signal) => {
      if (code === 0) return resolve();
      for (const line of output.trimEnd().split("\n")) log(line);
      const how = signal ? `was ended by ${signal}` : `ended with code ${code}`;
      const remedy = signal === "SIGKILL" ? "free some memory" : "see its messages";
      reject(new CannotBuild(`${failure} (${program} ${how})`, `${remedy}, then run ${again}`));
    });
  });
}
