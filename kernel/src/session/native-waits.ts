/**
 * What the session's main thread waits for in a system call, and how such a wait is ended: a termination stops JavaScript, but
 * not native code. Runs on the interrupt thread. Linux tells what a thread waits for; elsewhere little is known, and little
 * is done.
 */
import { closeSync, constants, openSync, readdirSync, readFileSync, readlinkSync, readSync, statSync } from "node:fs";
import { PIPE } from "../session-protocol.js";

/** Numbers of system calls, which differ by architecture. */
interface CallNumbers {
  readonly open: readonly number[];
  /** The wait of an event loop: the session's own, which hears interrupts, or that of `execSync` or its like. */
  readonly poll: readonly number[];
  readonly write: number;
  /**
   * Waits that no signal is to end: that for another thread, which most likely computes, begins again; a write, of a frame to the
   * front say, would end in its middle.
   */
  readonly spared: readonly number[];
}

const CALLS: Readonly<Partial<Record<NodeJS.Architecture, CallNumbers>>> = {
  x64: { open: [2, 257], poll: [232, 281, 441], write: 1, spared: [202, 1, 18, 20, 296] },
  arm64: { open: [56], poll: [22, 441], write: 64, spared: [98, 64, 66, 68, 70] },
};

/** Time for a writer to write, in milliseconds: where nobody reads, that is an error. */
const WRITES_MS = 1000;
/** The longest path that Linux knows, in bytes. */
const LONGEST_PATH = 4096;

/**
 * Has the main thread come back from a system call in which it waits, so that the termination which waits for it takes effect.
 *
 * @param signal for the child that it waits for, where it does
 */
export function endWait(signal: NodeJS.Signals): void {
  const numbers = CALLS[process.arch];
  const call = systemCall();
  if (numbers === undefined || call === undefined) signalAwaitedChild(signal);
  else if (call === "none" || numbers.spared.includes(call.number)) return;
  else if (numbers.poll.includes(call.number)) signalAwaited(signal, call);
  else if (numbers.open.includes(call.number)) openOtherEnd(openedBy(call, numbers));
  else interruptCall();
}

/** Whether the main thread waits for the front to read what it writes. */
export function waitsForFront(): boolean {
  const call = systemCall();
  return typeof call === "object" && call.number === CALLS[process.arch]?.write && call.args[0] === PIPE.frames;
}

interface SystemCall {
  readonly number: number;
  readonly args: readonly number[];
}

/** The system call that the main thread is in: none where it computes, undefined where that cannot be known. */
function systemCall(): SystemCall | "none" | undefined {
  try {
    const text = readFileSync(`/proc/self/task/${process.pid}/syscall`, "utf8");
    const [number = NaN, ...args] = text.split(" ").map(Number);
    return Number.isNaN(number) || number < 0 ? "none" : { number, args };
  } catch {
    return undefined;
  }
}

/** The path that a call is to open, in the memory of this process, and whether for reading. */
function openedBy({ number, args }: SystemCall, { open }: CallNumbers): { path: string; reads: boolean } {
  // `open` has the path first, `openat` second.
  const [address = 0, flags = 0] = args.slice(open.length > 1 && number === open[0] ? 0 : 1);
  const memory = openSync("/proc/self/mem", "r");
  try {
    const bytes = Buffer.alloc(LONGEST_PATH);
    const size = readSync(memory, bytes, 0, LONGEST_PATH, address);
    const end = bytes.subarray(0, size).indexOf(0);
    return { path: bytes.toString("utf8", 0, Math.max(0, end)), reads: (flags & 3) === constants.O_RDONLY };
  } finally {
    closeSync(memory);
  }
}

/**
 * Who opens a pipe with a name waits until somebody opens its other end, and libuv lets no signal end that wait. A reader then
 * finds the pipe empty and closed; a writer can write a little.
 */
function openOtherEnd({ path, reads }: { path: string; reads: boolean }): void {
  if (!statSync(path).isFIFO()) return;
  const end = openSync(path, constants.O_NONBLOCK | (reads ? constants.O_WRONLY : constants.O_RDONLY));
  if (reads) closeSync(end);
  else setTimeout(closeSync, WRITES_MS, end);
}

/**
 * Ends a call, a read of a pipe or of a terminal say, with the error EINTR. Of the signals for which Node has a handler, only that of
 * SIGUSR1 does not ask the system to begin the call anew. It is there to start the inspector, which finds an address on which it
 * cannot listen (`front/session-process.ts`).
 */
function interruptCall(): void {
  const [, caught = "0"] = /^SigCgt:\s*([\da-f]+)/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  const SIGUSR1 = 10n;
  // Where nobody catches it, it ends the process.
  if ((BigInt(`0x${caught}`) >> (SIGUSR1 - 1n)) & 1n) process.kill(process.pid, "SIGUSR1");
}

/**
 * Signals what the event loop of `execSync` or its like waits for: whoever can still write to its pipes, be it what a child that is
 * gone has left behind; where it has none left, the child. The session's own loop waits for the front and for nothing that is to
 * end: the main thread is about to hear the interrupt, which on a busy machine takes it a while.
 */
function signalAwaited(signal: NodeJS.Signals, { args: [loop = -1] }: SystemCall): void {
  const watched = watchedBy(loop);
  if (watched.includes(PIPE.commands)) return;
  const writers = holdersOf(otherEnds(watched));
  if (writers.length === 0) signalAwaitedChild(signal);
  for (const pid of new Set(writers.flatMap((writer) => [writer, ...descendantsOf(writer)]))) send(signal, pid);
}

/** Signals the child that was started last, and what that has started. */
function signalAwaitedChild(signal: NodeJS.Signals): void {
  const last = childrenOf(process.pid).at(-1);
  if (last !== undefined) for (const pid of [last, ...descendantsOf(last)]) send(signal, pid);
}

/** The descriptors that an event loop, an `epoll` descriptor, waits for. */
function watchedBy(loop: number): number[] {
  return [...readText(`/proc/self/fdinfo/${loop}`).matchAll(/^tfd:\s*(\d+)/gm)].map(([, fd]) => Number(fd));
}

/** The other ends of pipes. libuv makes them as pairs of sockets, of which it keeps the first; Linux numbers the two in one go. */
function otherEnds(watched: readonly number[]): ReadonlySet<string> {
  const sockets = watched.map((fd) => /^socket:\[(\d+)\]$/.exec(readLink(`/proc/self/fd/${fd}`))?.[1]);
  return new Set(sockets.filter((inode) => inode !== undefined).map((inode) => `socket:[${Number(inode) + 1}]`));
}

/** Processes of the session's group, which are those that cells have started, that have one of these files open. */
function holdersOf(files: ReadonlySet<string>): number[] {
  if (files.size === 0) return [];
  const group = groupOf("self");
  const others = entriesOf("/proc").filter(
    (name) => /^\d+$/.test(name) && Number(name) !== process.pid && groupOf(name) === group,
  );
  const holds = (pid: string): boolean =>
    entriesOf(`/proc/${pid}/fd`).some((fd) => files.has(readLink(`/proc/${pid}/fd/${fd}`)));
  return others.filter(holds).map(Number);
}

/** The process group of a process: the third figure after its name, which may hold anything. */
function groupOf(pid: string): string | undefined {
  return /^[^]*\) \S \d+ (\d+) /.exec(readText(`/proc/${pid}/stat`))?.[1];
}

function send(signal: NodeJS.Signals, pid: number): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has just ended.
  }
}

function descendantsOf(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);
}

/** What the main thread of a process has started and still runs, the youngest last. */
function childrenOf(pid: number): number[] {
  // Linux has this list; elsewhere such a wait ends when the child does.
  const pids = readText(`/proc/${pid}/task/${pid}/children`).trim();
  return pids === "" ? [] : pids.split(" ").map(Number);
}

/** What `/proc` says of something: nothing where it is gone, or another user's. */
const readText = (path: string): string => orElse("", () => readFileSync(path, "utf8"));
const readLink = (path: string): string => orElse("", () => readlinkSync(path));
const entriesOf = (folder: string): readonly string[] => orElse([], () => readdirSync(folder));

function orElse<T>(otherwise: T, read: () => T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
