/** `%time` and `%%time`: how long something takes. */
import type { StreamName } from "../session-protocol.js";
import { currentCell } from "./current-cell.js";
import { sendFrame } from "./frames.js";

/** When something began: the clock, and the processor time used so far. */
interface Start {
  readonly wall: number;
  readonly cpu: NodeJS.CpuUsage;
}

/** A clock for each of the two commands. */
export class Timer {
  /** By cell: several may run at a time. */
  readonly #starts = new Map<number, Start>();

  start(): void {
    this.#starts.set(currentCell(), { wall: performance.now(), cpu: process.cpuUsage() });
  }

  /** Forgets that it was started by this cell. */
  clear(): void {
    this.#starts.delete(currentCell());
  }

  /** Shows the time since the start, if there was one. */
  stop(): void {
    const start = this.#starts.get(currentCell());
    if (start === undefined) return;
    const wall = performance.now() - start.wall;
    const { user, system } = process.cpuUsage(start.cpu);
    this.clear();
    const name: StreamName = "stdout";
    const cpu = `${duration((user + system) / 1000)} (user ${duration(user / 1000)}, system ${duration(system / 1000)})`;
    sendFrame({ type: "stream", cell: currentCell(), name, text: `Wall time: ${duration(wall)}, CPU time: ${cpu}\n` });
  }
}

/** A time in milliseconds, with three digits and the unit that suits it. */
export function duration(milliseconds: number): string {
  if (milliseconds >= 3_600_000) {
    return `${Math.floor(milliseconds / 3_600_000)} h ${Math.floor((milliseconds % 3_600_000) / 60_000)} min`;
  }
  if (milliseconds >= 60_000)
    return `${Math.floor(milliseconds / 60_000)} min ${Math.floor((milliseconds % 60_000) / 1000)} s`;
  if (milliseconds >= 999.5) return `${digits(milliseconds / 1000)} s`;
  if (milliseconds > 0 && milliseconds < 0.0009995) return `${digits(milliseconds * 1e6)} ns`;
  return milliseconds >= 0.9995 ? `${digits(milliseconds)} ms` : `${digits(milliseconds * 1000)} µs`;
}

function digits(value: number): string {
  if (value === 0) return "0";
  return value >= 99.95 ? value.toFixed(0) : value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}
