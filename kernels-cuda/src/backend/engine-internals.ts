/** The members of tfjs's engine that its own ops use and its types do not show. */
import type {
  KernelBackend,
  NamedAttrMap,
  NamedTensorMap,
  Tensor,
  TensorContainer,
  TensorInfo,
} from "@tensorflow/tfjs-core";

/** What an op leaves for the way back. */
export interface TapeNode {
  readonly kernelName: string;
  readonly inputs: NamedTensorMap;
  readonly outputs: Tensor[];
  readonly saved: Tensor[];
  readonly gradient?: (dys: (Tensor | null)[]) => Record<string, () => Tensor>;
}

/** Tensors that end together. */
export interface Scope {
  readonly id: number;
  readonly track: Tensor[];
}

export interface Engine {
  readonly ENV: { getBool(flag: string): boolean };
  readonly backend: KernelBackend;
  readonly backendName: string;
  readonly state: {
    profiling: boolean;
    gradientDepth: number;
    kernelDepth: number;
    activeTape: TapeNode[] | null;
    activeScope: Scope | null;
    readonly scopeStack: Scope[];
    readonly numDataMovesStack: number[];
    tensorInfo: WeakMap<object, object>;
  };
  reset(): void;
  runKernel(name: string, inputs: NamedTensorMap, attributes?: NamedAttrMap): Tensor | Tensor[];
  checkKernelForMemLeak(name: string, before: number, outputs: readonly TensorInfo[]): void;
  makeTensor(values: Float32Array, shape: number[], dtype: "float32"): Tensor;
  makeTensorFromTensorInfo(info: TensorInfo): Tensor;
  clone(tensor: Tensor): Tensor;
  keep(tensor: Tensor): Tensor;
  tidy<T>(name: string, f: () => T): T;
  tidy<T>(f: () => T): T;
  endScope(result?: TensorContainer): void;
  track(tensor: Tensor): Tensor;
  startTape(): void;
  endTape(): void;
  getTensorsForGradient(name: string, inputs: NamedTensorMap, outputs: Tensor[]): Tensor[];
  addTapeNode(
    name: string,
    inputs: NamedTensorMap,
    outputs: Tensor[],
    gradient: null,
    saved: Tensor[],
    attributes: NamedAttrMap | undefined,
  ): void;
  gradients<T extends Tensor>(
    f: () => T,
    xs: Tensor[],
    dy?: T | null,
    allowNoGradients?: boolean,
  ): { value: T; grads: Tensor[] };
}
