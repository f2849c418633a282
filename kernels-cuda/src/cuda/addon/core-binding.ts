/** The base of the CUDA addon: the declaration of `cuda/node/core_binding.cpp`. Every function throws what went wrong. */

/** A GPU that can be used. */
export interface CudaDevice {
  readonly name: string;
  readonly index: number;
  /** such as "8.9" */
  readonly computeCapability: string;
  readonly multiprocessors: number;
  readonly totalBytes: number;
  /** The CUDA that the driver serves and that the addon was built with: 13050 is 13.5; 0 emulated. */
  readonly driverVersion: number;
  readonly runtimeVersion: number;
}

/** Memory of the GPU, in bytes but for `requests`. */
export interface CudaMemory {
  /** by tensors */
  readonly used: number;
  /** the most that was used at once */
  readonly peak: number;
  /** freed, and kept for the next tensors */
  readonly waiting: number;
  /** of the device, for any process */
  readonly free: number;
  readonly total: number;
  /** How often the driver was asked for memory until now; what was freed before serves without it. */
  readonly requests: number;
}

/** Where a tensor's values lie on the GPU. The addon knows each with its size, and refuses any other number. */
export type Address = number;

/** Several; the addon reads a Float64Array at once, and asks Node for each element of an array. */
export type AddressList = readonly Address[] | Float64Array;

/** The device, memory, copies and time. All work goes to one stream, in the order of the calls. */
export interface CoreBinding {
  readonly interfaceVersion: number;
  /** Whether this is the emulator on the CPU. */
  readonly emulated: boolean;
  /** Emulated only: whether a kernel with a race throws. */
  readonly findsRaces?: boolean;
  /** Emulated only: whether a kernel throws that uses a vector at an address which a GPU would refuse. */
  readonly checksAlignment?: boolean;
  /** Opens the device; the same answer each time. */
  open(): CudaDevice | { readonly reason: string; readonly remedy: string };
  /** @throws Error when the GPU's memory is exhausted, with what was asked for and what was free */
  allocate(bytes: number): Address;
  free(address: Address): void;
  /** Copies all of a tensor's bytes; the array may change afterwards. */
  upload(address: Address, values: NodeJS.TypedArray): void;
  /** Waits for the values. */
  download(address: Address, values: NodeJS.TypedArray): void;
  /**
   * Copies the values as they are at this point of the stream, and does not wait: the array has them when the promise is kept. The
   * tensor may be freed at once.
   */
  read(address: Address, values: NodeJS.TypedArray): Promise<void>;
  /** A part of one tensor into another, in bytes. */
  copy(to: Address, toByte: number, from: Address, fromByte: number, bytes: number): void;
  /** Sets all bits to 0. */
  clear(address: Address): void;
  /** Waits for everything that was launched. */
  synchronize(): void;
  memory(): CudaMemory;
  resetPeak(): void;
  /** Gives waiting memory back to the driver, and waits for that. */
  trim(): void;
  /** Fills memory that is given out from now on with NaNs, for tests. */
  poison(on: boolean): void;
  /** How many kernels of the addon were launched in this process; those of cuBLASLt are not among them. */
  launches(): number;
  /** Starts to measure; the function returned ends it, and tells the milliseconds between on the GPU. */
  startTimer(): () => Promise<number>;
  /** Emulated only: how much memory the device has. */
  setMemory?(bytes: number): void;
  /** Emulated only: in which order threads run between barriers. */
  setOrder?(order: "forward" | "reverse" | "shuffled"): void;
}
