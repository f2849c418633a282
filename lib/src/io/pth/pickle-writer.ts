/** The pickle of a state dictionary, protocol 2, as torch.save writes it and torch.load(weights_only=True) reads it. */
import type { SavedDtype } from "../float-formats.js";

/** A tensor as the pickle describes it: row-major, in a storage of its own. */
export interface PickledTensor {
  readonly name: string;
  readonly dtype: SavedDtype;
  readonly shape: readonly number[];
  /** the entry's name in the folder `data` */
  readonly key: string;
}

const storageClasses: Readonly<Record<SavedDtype, string>> = {
  F32: "FloatStorage",
  F16: "HalfStorage",
  BF16: "BFloat16Storage",
};

/** OrderedDict([(name, tensor), …]). */
export function pickleTensors(tensors: readonly PickledTensor[]): Uint8Array {
  const out = new PickleWriter();
  out.code(0x80, 2); // PROTO 2
  out.emptyOrderedDict();
  out.code(0x28); // MARK
  for (const tensor of tensors) {
    out.text(tensor.name);
    out.tensor(tensor);
  }
  out.code(0x75, 0x2e); // SETITEMS, STOP
  return out.bytes();
}

class PickleWriter {
  private readonly out: number[] = [];

  code(...bytes: number[]): void {
    this.out.push(...bytes);
  }

  private uint32(value: number): void {
    this.code(value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24);
  }

  global(module: string, name: string): void {
    this.code(0x63); // GLOBAL
    for (const byte of new TextEncoder().encode(`${module}\n${name}\n`)) this.out.push(byte);
  }

  text(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.code(0x58); // BINUNICODE
    this.uint32(bytes.length);
    for (const byte of bytes) this.out.push(byte);
  }

  integer(value: number): void {
    if (value < 2 ** 31) {
      this.code(0x4a); // BININT
      this.uint32(value);
      return;
    }
    this.code(0x8a, 8); // LONG1 of eight bytes
    this.uint32(value % 2 ** 32);
    this.uint32(Math.floor(value / 2 ** 32));
  }

  integers(values: readonly number[]): void {
    this.code(0x28); // MARK
    for (const value of values) this.integer(value);
    this.code(0x74); // TUPLE
  }

  emptyOrderedDict(): void {
    this.global("collections", "OrderedDict");
    this.code(0x29, 0x52); // EMPTY_TUPLE, REDUCE
  }

  tensor({ dtype, shape, key }: PickledTensor): void {
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
    this.global("torch._utils", "_rebuild_tensor_v2");
    this.code(0x28, 0x28); // MARK of the arguments, MARK of the storage's id
    this.text("storage");
    this.global("torch", storageClasses[dtype]);
    this.text(key);
    this.text("cpu");
    this.integer(shape.reduce((product, size) => product * size, 1));
    this.code(0x74, 0x51); // TUPLE, BINPERSID
    this.integer(0); // offset
    this.integers(shape);
    this.integers(strides);
    this.code(0x89); // requires_grad: NEWFALSE
    this.emptyOrderedDict(); // hooks
    this.code(0x74, 0x52); // TUPLE, REDUCE
  }

  bytes(): Uint8Array {
    return Uint8Array.from(this.out);
  }
}
