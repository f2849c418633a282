/** `ms.profile`: where the time of a computation goes, by op, and what the ops reach of what the machine can do. */
import { ConfigurationError } from "../errors.js";
import type { EnginePeak } from "../engine/controls.js";
import { engineInUse } from "../engine.js";
import { closeAfterTermination } from "../engine/termination.js";
import { Profile } from "./report.js";
import { Recording } from "./recording.js";

/** Options of {@link profile}. */
export interface ProfileOptions {
  /** what ops are held against; measured (once for each precision) when left out, `false` for none */
  peak?: EnginePeak | false;
}

/** The profile that is being made. */
let running: symbol | undefined;

/**
 * Runs `run` and tells where its time went. Any code: a forward pass, a step of training, a loop with `await` in it. It runs
 * as it would without, but a few microseconds slower for each kernel, which the result tells; afterwards nothing stays
 * behind, whether it threw or not. Kernels that run meanwhile from elsewhere are counted too.
 *
 * @param run its result is in the profile's `result`; tensors of it are the caller's to dispose of. Run it once before, when
 *   what comes first (making buffers, compiling) is not to be counted
 * @throws ConfigurationError when a profile is being made already; whatever `run` throws
 *
 * @example
 * ```ts
 * const profile = await ms.profile(() => model.forward([tokens]).logits.data());
 * display(ms.plots.opTimes(profile)); // where the time went
 * display(ms.plots.roofline(profile)); // and what of the machine was used
 * ```
 */
export async function profile<T>(
  run: () => T | Promise<T>,
  { peak: held }: ProfileOptions = {},
): Promise<Profile<Awaited<T>>> {
  if (running) {
    throw new ConfigurationError("profile: another profile is being made, wanted one at a time: await it first");
  }
  const self = (running = Symbol());
  const info = engineInUse();
  let recording: Recording | undefined;
  const close = closeAfterTermination(() => {
    running = undefined;
    recording?.stop();
  });
  try {
    await info.synchronize();
    recording = new Recording(info.asynchronous);
    const begin = performance.now();
    let result: Awaited<T>;
    let milliseconds: number;
    try {
      result = await run();
      await info.synchronize();
      milliseconds = performance.now() - begin;
    } finally {
      recording.stop();
    }
    if (running !== self) throw new Error("profile: an interrupt has ended it before its time: make it again");
    await recording.settled();
    const peak = held === false ? undefined : (held ?? (await info.peak()));
    return new Profile({ result, recording, milliseconds, peak, engine: info.name, precision: info.precision });
  } finally {
    close();
    if (running === self) running = undefined;
  }
}
