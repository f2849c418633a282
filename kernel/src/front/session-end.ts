/** What to tell a person whose session has ended. */
import { ansi } from "../ansi.js";
import type { ErrorReport } from "../session-protocol.js";
import type { SessionEnd } from "./session-process.js";

/** Why the front itself has ended the session, where it has. */
export type KillReason = "interrupt-ignored" | "interrupted-at-start";

/** An error as a cell shows it that has no place in the cell's text. */
export function plainReport(ename: string, evalue: string): ErrorReport {
  return { ename, evalue, traceback: [`${ansi.red}${ansi.bold}${ename}${ansi.reset}: ${evalue}`] };
}

/** The error of the cell that was running when the session ended. */
export function endReport(end: SessionEnd, killed: KillReason | undefined): ErrorReport {
  const begun = end.code !== null || end.signal !== null;
  const evalue = begun
    ? `${cause(end, killed)} A fresh session has been started; variables are lost: run the cells you need again.`
    : `The session could not be started: ${end.lastWords.trim()}. The next cell tries again.`;
  return plainReport("SessionEnded", evalue);
}

function cause({ code, signal, exited, lastWords, cutOff }: SessionEnd, killed: KillReason | undefined): string {
  if (killed === "interrupt-ignored") {
    return "Native code did not react to interrupts, so the session was ended.";
  }
  if (killed === "interrupted-at-start") {
    return "A preload module did not react to interrupts while it was loaded, so the session was ended.";
  }
  if (cutOff) {
    return "The session closed its pipes to the kernel (file descriptors 3 to 5), so it was ended.";
  }
  if (/heap out of memory|Reached heap limit/.test(lastWords)) {
    return (
      "The session ran out of JavaScript heap memory. Keep large data in typed arrays or tensors, or start Jupyter with " +
      'NODE_OPTIONS="--max-old-space-size=8192" (megabytes) in its environment.'
    );
  }
  switch (signal) {
    case "SIGABRT":
      return `The session aborted (SIGABRT): native code, or process.abort(), ended it.${words(lastWords)}`;
    case "SIGSEGV":
    case "SIGBUS":
      return `Native code crashed the session (${signal}: it used memory that is not its own).`;
    case "SIGILL":
      return "Native code crashed the session (SIGILL: an instruction that this processor does not have).";
    case "SIGFPE":
      return "Native code crashed the session (SIGFPE: an integer division by zero).";
    case "SIGKILL":
      return "The session was killed (SIGKILL): the machine may have run out of memory.";
    case null:
      return exited
        ? `The session ended with exit code ${code}: process.exit(${code}) was called.`
        : `The session ended with exit code ${code}.${words(lastWords)}`;
    default:
      return `The session was ended by ${signal}.`;
  }
}

function words(lastWords: string): string {
  const line = lastWords
    .split("\n")
    .map((text) => text.trim())
    .find((text) => /error|abort|assert|fatal/i.test(text));
  return line === undefined ? "" : ` Its last words: ${line}`;
}
