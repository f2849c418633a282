import { setTimeout as sleep } from "node:timers/promises";

/** Waits until an assertion holds, as of plots, which are drawn anew in their own time; after half a minute throws what it throws. */
export async function until(holds: () => Promise<void>): Promise<void> {
  for (const giveUp = Date.now() + 30_000; ; await sleep(100)) {
    try {
      return await holds();
    } catch (error) {
      if (Date.now() > giveUp) throw error;
    }
  }
}
