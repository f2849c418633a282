/**
 * The number formats of model files. float16 and bfloat16 become float32 exactly, NaN payloads included: bits are moved
 * as integers and never pass through a floating-point register. The way back rounds to nearest, ties to even.
 */

/** Number formats, named as safetensors names them. */
export type FileDtype = keyof typeof itemSizes;

/** Bytes an element. */
export const itemSizes = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E8M0: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
} as const;

/** Whether the text names a format. */
export function isFileDtype(text: unknown): text is FileDtype {
  return typeof text === "string" && Object.hasOwn(itemSizes, text);
}

/** Formats of two bytes, whose elements are held as float32. */
export type HalfDtype = "F16" | "BF16";

/** Whether a format is one of {@link HalfDtype}. */
export function isHalf(dtype: FileDtype): dtype is HalfDtype {
  return dtype === "F16" || dtype === "BF16";
}

/** The bits of each float16's float32, by the float16's bits: 256 KiB, which a cache holds. Made when first used. */
let float16Table: Uint32Array | undefined;

function makeFloat16Table(): Uint32Array {
  const table = new Uint32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = (bits & 0x8000) << 16;
    const exponent = (bits >>> 10) & 31;
    let mantissa = bits & 0x3ff;
    if (exponent === 31) {
      table[bits] = sign | 0x7f800000 | (mantissa << 13);
    } else if (exponent > 0) {
      table[bits] = sign | ((exponent + 112) << 23) | (mantissa << 13);
    } else if (mantissa > 0) {
      // Subnormal: shifted until its first bit is the hidden one.
      let shifts = 0;
      while (!(mantissa & 0x400)) {
        mantissa <<= 1;
        shifts++;
      }
      table[bits] = sign | ((113 - shifts) << 23) | ((mantissa & 0x3ff) << 13);
    } else {
      table[bits] = sign;
    }
  }
  return table;
}

/**
 * Elements of a file as float32, exactly, into `target` from `offset` on.
 *
 * @param bytes little-endian elements, aligned to their size
 */
export function decodeHalves(dtype: HalfDtype, bytes: Uint8Array, target: Float32Array, offset = 0): void {
  const from = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
  const bits = new Uint32Array(target.buffer, target.byteOffset + 4 * offset, from.length);
  if (dtype === "BF16") {
    for (let i = 0; i < from.length; i++) bits[i] = from[i]! << 16;
  } else {
    const table = (float16Table ??= makeFloat16Table());
    for (let i = 0; i < from.length; i++) bits[i] = table[from[i]!]!;
  }
}

/** Formats in which models are saved. */
export type SavedDtype = "F32" | "F16" | "BF16";

/**
 * float32 as the elements of a file: to nearest, ties to even; what is too large becomes infinite; NaN stays NaN, its
 * sign and first payload bits kept, quiet.
 *
 * @returns little-endian bytes
 */
export function encodeHalves(dtype: HalfDtype, values: Float32Array): Uint8Array {
  const from = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const to = new Uint16Array(values.length);
  if (dtype === "BF16") {
    for (let i = 0; i < from.length; i++) to[i] = bfloat16Bits(from[i]!);
  } else {
    for (let i = 0; i < from.length; i++) to[i] = float16Bits(from[i]!);
  }
  return new Uint8Array(to.buffer);
}

function bfloat16Bits(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

function float16Bits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff);
  // From 65520 on, half a step above the largest.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    // Normal: the exponent's bias changes by 112, 13 bits of the mantissa are rounded away and may carry into it.
    return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  }
  // Subnormal or zero, in steps of 2^−24; below half of the smallest nothing is left.
  if (magnitude < 0x33000000) return sign;
  const shift = 126 - (magnitude >>> 23);
  const mantissa = (magnitude & 0x7fffff) | 0x800000;
  const kept = mantissa >>> shift;
  const rest = mantissa & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return sign | (kept + (rest > half || (rest === half && kept & 1) ? 1 : 0));
}

/** The array that holds elements of a format: floating-point numbers of two bytes as float32. */
export type TensorData =
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | BigUint64Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>;

const views = {
  BOOL: Uint8Array,
  U8: Uint8Array,
  I8: Int8Array,
  F8_E4M3: Uint8Array,
  F8_E5M2: Uint8Array,
  F8_E8M0: Uint8Array,
  I16: Int16Array,
  U16: Uint16Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I32: Int32Array,
  U32: Uint32Array,
  F32: Float32Array,
  F64: Float64Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
} as const;

/** Elements as they are in a file, as an array over them; those of F16, BF16 and F8 as raw bits. */
export function view(dtype: FileDtype, elements: ArrayBuffer): TensorData {
  return new views[dtype](elements);
}
