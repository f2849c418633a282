/**
 * Heads of a size that the recurrences have no kernel for on the GPU: they get further channels, up to the next size that has one,
 * and what comes back is cut to the channels that there were. A channel with r = k = v = a = b = x = q = 0, w = 1, no gains and an
 * empty state takes part in nothing: its rows and columns of S and M stay zero, and no other element of them or of what is read
 * is changed by them. The norms of the Meta-State pass are told how many channels there were.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { Inputs } from "../../kernels/native-kernel.js";
import type { CudaBinding } from "../addon/binding.js";
import type { CudaBackend } from "../cuda-backend.js";
import type { CudaBody } from "../cuda-kernel.js";
import { arrangementKernels } from "./arrangement.js";

/** The head sizes that the recurrences are compiled for. */
const headSizes: readonly number[] = [16, 32, 64, 128];

/** How a tensor holds heads: it ends with a head's channels, or with a matrix a head, or is a vector of all heads' channels. */
type Layout = "channels" | "matrices" | "gains";

/** The inputs that end with a matrix a head, and those that are gains; the others end with a head's channels. */
const matrices: ReadonlySet<string> = new Set([
  ...["state", "dFinalState", "checkpoints"],
  ...["wkv", "meta", "dMetaAfter", "wkvCheckpoints", "metaCheckpoints"],
]);
const gains: ReadonlySet<string> = new Set(["readGain", "memoryGain"]);
const layoutOf = (input: string): Layout =>
  matrices.has(input) ? "matrices" : gains.has(input) ? "gains" : "channels";

const channels = (count: number): Layout[] => Array<Layout>(count).fill("channels");

/** The outputs of the kernels in their order. */
export const layoutsOfOutputs = {
  Wkv7: ["channels", "matrices", "matrices"],
  Wkv7Grad: [...channels(6), "matrices"],
  MetaPass: ["channels", "matrices", "channels", "channels", "matrices", "matrices"],
  MetaPassGrad: [...channels(8), "gains", "gains", "matrices", "matrices"],
} as const satisfies Readonly<Record<string, readonly Layout[]>>;

/**
 * The same kernel for heads of any size up to the largest; undefined for larger ones.
 *
 * @param body for the sizes that there are
 * @param outputs how each of its outputs holds heads
 */
export function withPaddedHeads(body: CudaBody, outputs: readonly Layout[]): CudaBody {
  return (binding, backend, inputs, attributes) => {
    const there = inputs["r"]?.shape[3];
    const size = headSizes.find((one) => one >= (there ?? 0));
    if (there === undefined || there === 0 || there === size) return body(binding, backend, inputs, attributes);
    if (size === undefined) return undefined;
    const heads = new Resized(binding, backend, inputs["r"]!.shape[2]!);
    const padded: Inputs = Object.fromEntries(
      Object.entries(inputs).map(([name, x]) =>
        // With w = 1 the state that is not there stays what it is.
        [name, x && heads.resized(x, layoutOf(name), size, name === "w" ? 1 : 0)],
      ),
    );
    const results = body(withChannels(binding, there), backend, padded, attributes) as TensorInfo[];
    const cut = results.map((x, place) => heads.resized(x, outputs[place]!, there));
    for (const x of [...Object.values(padded).filter((x) => x !== undefined), ...results]) {
      backend.disposeIntermediateTensorInfo(x);
    }
    return cut;
  };
}

/** Tensors of some heads, with other numbers of channels. */
class Resized {
  constructor(
    private readonly binding: CudaBinding,
    private readonly backend: CudaBackend,
    private readonly heads: number,
  ) {}

  /** A new tensor with this many channels a head: the first ones, or all and then such that hold `value`. */
  resized(x: TensorInfo, layout: Layout, channels: number, value = 0): TensorInfo {
    if (layout !== "gains") return this.#along(x, layout === "matrices" ? 2 : 1, channels, value);
    const perHead = this.backend.view(x, [this.heads, x.shape[0]! / this.heads]);
    const made = this.#along(perHead, 1, channels, value);
    const flat = this.backend.view(made, [this.heads * channels]);
    for (const view of [perHead, made]) this.backend.disposeIntermediateTensorInfo(view);
    return flat;
  }

  /** Along the last axes. */
  #along(x: TensorInfo, axes: number, length: number, constantValue: number): TensorInfo {
    const first = x.shape.length - axes;
    const lengths = x.shape.map((before, axis) => (axis < first ? before : length));
    const run = (kernel: string, attributes: Readonly<Record<string, unknown>>): TensorInfo =>
      arrangementKernels[kernel]!(this.binding, this.backend, { x }, attributes) as TensorInfo;
    if (length < x.shape.at(-1)!) return run("Slice", { begin: lengths.map(() => 0), size: lengths });
    return run("PadV2", { paddings: lengths.map((after, axis) => [0, after - x.shape[axis]!]), constantValue });
  }
}

/** The addon whose Meta-State pass takes the first of a head's channels for all that there are. */
function withChannels(binding: CudaBinding, channels: number): CudaBinding {
  const calls: Pick<CudaBinding, "metaPass" | "metaPassGrad"> = {
    metaPass: (...call) => binding.metaPass(...call, channels),
    metaPassGrad: (...call) => binding.metaPassGrad(...call, channels),
  };
  return Object.assign(Object.create(binding) as CudaBinding, calls);
}
