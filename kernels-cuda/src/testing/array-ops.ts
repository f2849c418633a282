/**
 * For tests: the ops of the CUDA addon called with arrays. They take the native addon's arguments in the same places,
 * addresses in place of arrays, so that cases written for one run on the other.
 */
import { cuda } from "./cuda.js";

/** An addon's ops by name, with arrays. */
export type ArrayOps = Readonly<Record<string, (...values: unknown[]) => void>>;

/**
 * The ops of the CUDA addon as functions of arrays: all are copied to the device, the op runs, and those of floats are
 * copied back. What an array holds before the call is what the device's memory holds: fill outputs with NaN. One array given
 * twice is one tensor.
 */
export const arrayOps: ArrayOps = new Proxy(
  {},
  {
    get:
      (_, name) =>
      (...values: unknown[]) => {
        call(String(name), values);
      },
  },
);

type Values = Float32Array | Int32Array;

function call(name: string, given: readonly unknown[]): void {
  const addon = cuda();
  const op = (addon as unknown as ArrayOps)[name];
  if (!op) throw new TypeError(`the CUDA addon has no ${name}`);
  const addresses = new Map<Values, number>();
  const addressOf = (values: Values): number => {
    let address = addresses.get(values);
    if (address === undefined) {
      address = addon.allocate(values.byteLength);
      addresses.set(values, address);
      addon.upload(address, values);
    }
    return address;
  };
  const translated = (value: unknown): unknown => {
    if (value instanceof Float32Array || value instanceof Int32Array) return addressOf(value);
    return Array.isArray(value) ? value.map(translated) : value;
  };
  try {
    op(...given.map(translated));
    for (const [values, address] of addresses) if (values instanceof Float32Array) addon.download(address, values);
  } finally {
    for (const address of addresses.values()) addon.free(address);
  }
}

/** Runs what tests under every order of the emulator's threads; once, on a GPU. */
export function inEveryThreadOrder(body: (order: string) => void): void {
  const addon = cuda();
  if (!addon.emulated) return body("the GPU's order");
  try {
    for (const order of ["forward", "reverse", "shuffled"] as const) {
      addon.setOrder?.(order);
      body(order);
    }
  } finally {
    addon.setOrder?.("forward");
  }
}
