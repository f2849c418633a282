/** How fast a loop goes, and how long it still takes. */

/** What happened this long ago counts a third of what happens now, in seconds: the rate is steady, and follows a change. */
const MEMORY_S = 5;

/** The rate of something that advances in steps, smoothed over time. */
export class Pace {
  readonly #start: number;
  #time: number;
  #done = 0;
  #rate: number | undefined;

  /** @param now in milliseconds, as in all that follows */
  constructor(now: number) {
    this.#start = now;
    this.#time = now;
  }

  /** Notes that `done` is reached. */
  sample(done: number, now: number): void {
    const seconds = (now - this.#time) / 1000;
    if (seconds <= 0 || done <= this.#done) return;
    const rate = (done - this.#done) / seconds;
    // The first steps count by how long they took, else the very first would rule for seconds.
    const share =
      this.#rate === undefined ? 1 : Math.max(1 - Math.exp(-seconds / MEMORY_S), seconds / this.seconds(now));
    this.#rate = (this.#rate ?? 0) + share * (rate - (this.#rate ?? 0));
    this.#done = done;
    this.#time = now;
  }

  /** Steps in a second, of late; undefined before the first. */
  get rate(): number | undefined {
    return this.#rate;
  }

  /** Seconds since the start. */
  seconds(now: number): number {
    return (now - this.#start) / 1000;
  }
}

/** `3.14/s`, or `2.5 s each` where it takes longer. */
export function formatRate(perSecond: number): string {
  if (perSecond >= 1000) return `${Math.round(perSecond).toLocaleString("en")}/s`;
  return perSecond >= 1 ? `${perSecond.toPrecision(3)}/s` : `${formatSeconds(1 / perSecond)} each`;
}

/** `4.2 s`, `12 s`, `3:05 min`, `1:02:03 h`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 59.5) return `${seconds.toFixed(seconds < 9.95 ? 1 : 0)} s`;
  const whole = Math.round(seconds);
  const two = (n: number): string => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)} h` : `${minutes}:${two(whole % 60)} min`;
}
