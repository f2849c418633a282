/** Times every kernel that runs, by op: what {@link profile} makes a table of. */
import * as tf from "@tensorflow/tfjs-core";

import { wrapKernels, type KernelCall, type KernelOutput } from "../engine/wrap-kernels.js";
import { kernelWork } from "./kernel-work.js";

/** The calls of one op, added up. Times are in milliseconds. */
export interface RecordedOp {
  readonly op: string;
  /** the op of which it is a part, when that is put together from others on this backend */
  readonly within: string | null;
  calls: number;
  /** without the ops that it is put together from */
  milliseconds: number;
  /** of the ops that it is put together from */
  partMilliseconds: number;
  /** undefined when a call's count is not known */
  flops: number | undefined;
  bytes: number;
}

/** A kernel that runs: what its parts took is not its own. */
interface Frame {
  readonly op: string;
  inner: number;
}

/** What was recorded. */
export class Recording {
  readonly ops = new Map<string, RecordedOp>();
  /** time that recording itself took, milliseconds */
  overhead = 0;
  /** most bytes that tensors held */
  mostBytes = 0;
  readonly #frames: Frame[] = [];
  readonly #timings: Promise<void>[] = [];
  readonly #stop: () => void;

  /**
   * Begins.
   *
   * @param asynchronous kernels only start when tfjs calls them: the backend's own timer tells how long they take
   */
  constructor(private readonly asynchronous: boolean) {
    this.#stop = wrapKernels((call, run) => this.#record(call, run));
  }

  /** Ends; nothing stays behind in tfjs. */
  stop(): void {
    this.#stop();
  }

  /** Ends when the backend has told every time. */
  async settled(): Promise<void> {
    await Promise.all(this.#timings);
  }

  #record(call: KernelCall, run: () => KernelOutput): KernelOutput {
    const entered = performance.now();
    const frame: Frame = { op: call.name, inner: 0 };
    const outer = this.#frames.at(-1);
    this.#frames.push(frame);
    let output: KernelOutput | undefined;
    let timing: Promise<tf.BackendTimingInfo> | undefined;
    const begin = performance.now();
    try {
      if (this.asynchronous && call.backend.timerAvailable()) timing = call.backend.time(() => void (output = run()));
      else output = run();
    } finally {
      this.#frames.pop();
    }
    const end = performance.now();
    const op = this.#count(call, [output!].flat(), outer?.op ?? null);
    if (timing) {
      this.#timings.push(addTo(op, frame.inner > 0 ? "partMilliseconds" : "milliseconds", timing));
    } else {
      op.milliseconds += end - begin - frame.inner;
      op.partMilliseconds += frame.inner;
    }
    const left = performance.now();
    if (outer) outer.inner += left - entered;
    this.overhead += left - entered - (end - begin);
    return output!;
  }

  #count(call: KernelCall, outputs: readonly tf.TensorInfo[], within: string | null): RecordedOp {
    const key = within === null ? call.name : `${within}/${call.name}`;
    let op = this.ops.get(key);
    if (!op) {
      op = { op: call.name, within, calls: 0, milliseconds: 0, partMilliseconds: 0, flops: 0, bytes: 0 };
      this.ops.set(key, op);
    }
    const { flops, bytes } = kernelWork(call, outputs);
    op.calls++;
    op.flops = flops === undefined || op.flops === undefined ? undefined : op.flops + flops;
    op.bytes += bytes;
    this.mostBytes = Math.max(this.mostBytes, tf.engine().state.numBytes);
    return op;
  }
}

async function addTo(
  op: RecordedOp,
  part: "milliseconds" | "partMilliseconds",
  timing: Promise<tf.BackendTimingInfo>,
): Promise<void> {
  const { kernelMs } = await timing;
  op[part] += typeof kernelMs === "number" ? kernelMs : 0;
}
