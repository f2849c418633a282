/**
 * Heads of a size that `Wkv7` has no kernel for on the GPU: they get further channels, up to the next size that has one, and
 * what comes back is cut to the channels that there were. A channel with r = k = v = a = b = 0, w = 1 and an empty state
 * takes part in nothing: its rows and columns of S stay zero, and no other element of S or y is changed by them.
 *
 * (The Meta-State pass has a norm over the channels of a head between its two states, which further channels would change.)
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { Inputs } from "../../kernels/native-kernel.js";
import type { CudaBody } from "../cuda-kernel.js";
import { arrangementKernels } from "./arrangement.js";

/** The head sizes that the recurrences are compiled for. */
export const headSizes: readonly number[] = [16, 32, 64, 128];

/** The inputs that end with a matrix a head; the others end with a head's channels. */
const states: ReadonlySet<string> = new Set(["state", "dFinalState", "checkpoints"]);

/**
 * The same kernel for heads of any size up to the largest; undefined for larger ones.
 *
 * @param body for the sizes that there are
 * @param steps how many of its outputs, the first ones, end with a head's channels; the others end with a matrix
 */
export function withPaddedHeads(body: CudaBody, steps: number): CudaBody {
  return (binding, backend, inputs, attributes) => {
    const channels = inputs["r"]?.shape[3];
    const size = headSizes.find((one) => one >= (channels ?? 0));
    if (channels === undefined || channels === 0 || channels === size)
      return body(binding, backend, inputs, attributes);
    if (size === undefined) return undefined;
    const padded: Inputs = Object.fromEntries(
      Object.entries(inputs).map(([name, x]) => {
        if (!x) return [name, x];
        const first = x.shape.length - (states.has(name) ? 2 : 1);
        const paddings = x.shape.map((_, axis) => [0, axis < first ? 0 : size - channels]);
        const constantValue = name === "w" ? 1 : 0;
        return [name, arrangementKernels["PadV2"]!(binding, backend, { x }, { paddings, constantValue }) as TensorInfo];
      }),
    );
    const outputs = body(binding, backend, padded, attributes) as TensorInfo[];
    const cut = outputs.map((x, place) => {
      const first = x.shape.length - (place < steps ? 1 : 2);
      const lengths = x.shape.map((length, axis) => (axis < first ? length : channels));
      const parameters = { begin: x.shape.map(() => 0), size: lengths };
      return arrangementKernels["Slice"]!(binding, backend, { x }, parameters) as TensorInfo;
    });
    for (const { dataId } of [...Object.values(padded).filter((x) => x !== undefined), ...outputs]) {
      backend.disposeData(dataId);
    }
    return cut;
  };
}
