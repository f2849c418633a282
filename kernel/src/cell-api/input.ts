/** Questions to whoever sits before the notebook. */
import { ask, askSync } from "../session/input.js";

export interface InputOptions {
  /** Hides what is typed. */
  readonly password?: boolean;
}

/**
 * Asks for a line of text: `const name = await input("Your name: ")`. The session goes on meanwhile: timers run, widgets
 * answer.
 * @throws {StdinNotImplementedError} where nobody can be asked, as in a notebook that a program runs
 */
export function input(prompt = "", { password = false }: InputOptions = {}): Promise<string> {
  return ask({ prompt, password });
}

/**
 * Asks for a line of text, and blocks the session until it comes; an empty one stands for `defaultValue`. Where you can,
 * `await input()` instead.
 * @throws {StdinNotImplementedError} where nobody can be asked
 */
export function prompt(message = "", defaultValue = ""): string {
  const hint = defaultValue === "" ? "" : `[${defaultValue}] `;
  const separator = message === "" || /\s$/.test(message) ? "" : " ";
  const answer = askSync({ prompt: `${message}${separator}${hint}`, password: false });
  return answer === "" ? defaultValue : answer;
}

/**
 * Asks a yes-or-no question, and blocks the session until the answer comes. `y` and `yes` mean yes, all else means no.
 * @throws {StdinNotImplementedError} where nobody can be asked
 */
export function confirm(message = "Are you sure?"): boolean {
  return /^\s*y(es)?\s*$/i.test(askSync({ prompt: `${message} [y/N] `, password: false }));
}

/**
 * Shows a message, and blocks the session until Enter is pressed.
 * @throws {StdinNotImplementedError} where nobody can be asked
 */
export function alert(message = "Alert"): void {
  askSync({ prompt: `${message} [Enter] `, password: false });
}
