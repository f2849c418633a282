/** Runs a program for a cell: what it writes is seen at once, and an interrupt ends it with all that it has started. */
import { spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { constants } from "node:os";
import type { Writable } from "node:stream";
import type { StreamName } from "../../session-protocol.js";
import { currentCell } from "../current-cell.js";
import { sendFrame } from "../frames.js";
import { interruptible } from "../interrupts.js";

/** How a program ended: its exit status, or that of a shell for a signal: 128 and the signal's number. */
export type ExitStatus = number;

/**
 * Runs the program in a process group of its own, beside a watcher that ends the group when this session is gone: a line
 * on descriptor 3 tells the watcher that all is done, the end of that pipe without one that nobody is left. What a command
 * has put into the background with `&` thus lives on while the session does.
 */
const WATCHED = `{ trap "" TERM; read -r done <&3 || { kill -TERM 0; sleep 2; kill -KILL 0; }; } >/dev/null 2>&1 &
exec 3<&-
exec "$@"`;

/**
 * What an interrupt sends to the group, and when, in milliseconds: a shell has told what it runs in the background to ignore
 * the first.
 */
const SIGNALS: readonly (readonly [at: number, NodeJS.Signals])[] = [
  [0, "SIGINT"],
  [500, "SIGTERM"],
  [2000, "SIGKILL"],
];
/** Time for the output of a program that has ended: what it left in the background may hold the pipes open. */
const DRAIN_MS = 100;

export interface ChildOptions {
  /** Environment variables beside those of the session. */
  readonly env?: Readonly<Record<string, string>>;
  /** Takes what it writes to stdout, which otherwise goes to the cell. */
  readonly onStdout?: (text: string) => void;
}

/** Runs `argv`; its output goes to the cell that called. */
export async function runChild(
  argv: readonly string[],
  { env = {}, onStdout }: ChildOptions = {},
): Promise<ExitStatus> {
  const cell = currentCell();
  // Output that is written into a pipe need not be plain; the session itself has none that would understand colours.
  const { NO_COLOR: _plain, ...inherited } = process.env;
  const stdio: StdioOptions = ["ignore", "pipe", "pipe", "pipe"];
  // Python, alone among the common ones, can be told to write into a pipe line by line.
  const child = spawn("/bin/sh", ["-c", WATCHED, "sh", ...argv], {
    ...{ stdio, detached: true, env: { ...inherited, PYTHONUNBUFFERED: "1", ...env } },
  });
  const toCell = (name: StreamName) => (text: string) => {
    sendFrame({ type: "stream", cell, name, text });
  };
  forward(child, "stdout", onStdout ?? toCell("stdout"));
  forward(child, "stderr", toCell("stderr"));
  const watcher = (child.stdio as readonly unknown[])[3] as Writable;
  watcher.on("error", () => undefined);
  const { ended, closed } = ending(child);
  try {
    const status = await interruptible(ended);
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, DRAIN_MS).unref())]);
    return status;
  } catch (error) {
    await stop(child, ended);
    throw error;
  } finally {
    watcher.end("done\n");
  }
}

function forward(child: ChildProcess, name: StreamName, take: (text: string) => void): void {
  const decoder = new TextDecoder();
  const send = (text: string): void => {
    if (text !== "") take(text);
  };
  child[name]?.on("data", (chunk: Buffer) => {
    send(decoder.decode(chunk, { stream: true }));
  });
  child[name]?.on("end", () => {
    send(decoder.decode());
  });
}

function ending(child: ChildProcess): { ended: Promise<ExitStatus>; closed: Promise<unknown> } {
  const ended = new Promise<ExitStatus>((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
  const closed = Promise.all(
    [child.stdout, child.stderr].map((stream) => new Promise<void>((resolve) => stream?.on("close", resolve))),
  );
  return { ended, closed };
}

/** Ends the process group: asks like Ctrl-C, then by force. */
async function stop(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  const signal = (name: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name);
    } catch {
      // All of it has ended.
    }
  };
  // The group, not only its first process, which may have ended before what it has started.
  for (const [at, name] of SIGNALS) {
    if (at === 0) signal(name);
    else setTimeout(signal, at, name).unref();
  }
  await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, INTERRUPTED_MS))]);
}

/** How long the cell waits for the program after an interrupt, in milliseconds; it has 80 for all its `finally` blocks. */
const INTERRUPTED_MS = 60;
