/**
 * The two inner loops of making vectors orthogonal, in WebAssembly: float64 arithmetic is the same bits on every machine and
 * engine, as initial values must be, and with vectors of two it is several times as fast as JavaScript's. The module is so small
 * that it is written here, instruction by instruction.
 */

/** The part of the global `WebAssembly` that is used: no library of TypeScript has it but the browsers'. */
declare const WebAssembly: {
  validate(bytes: Uint8Array): boolean;
  Memory: new (descriptor: { initial: number }) => { readonly buffer: ArrayBuffer };
  Module: new (bytes: Uint8Array) => object;
  Instance: new (
    module: object,
    imports: Record<string, Record<string, unknown>>,
  ) => { readonly exports: Record<string, unknown> };
};

/** How many vectors a call takes at once from each side. */
export const unitsOfCall = 4;
export const othersOfCall = 2;
/** Lengths are multiples of so many values: what a round of the loops takes. */
export const lengthUnit = 4;

/**
 * A loop over {@link unitsOfCall} units `u` and {@link othersOfCall} others `v`, vectors of `length` values that lie `stride`
 * values apart, and from `p` on a value for each pair, others within units. Places are counted in values.
 */
export type PairLoop = (u: number, v: number, p: number, length: number, stride: number) => void;

/** Values, zeros at first, and loops over them. */
export interface Projection {
  readonly values: Float64Array;
  /** p[i, k] += u_i · v_k, even and odd places summed apart */
  readonly dots: PairLoop;
  /** v_k −= Σ_i p[i, k] u_i, one i after the other */
  readonly subtract: PairLoop;
}

/** Room for so many values, with the loops over it. */
export function projection(count: number): Projection {
  const pages = Math.ceil((count * 8) / 65536);
  // What WebAssembly cannot address, plain loops can.
  if (pages > 65536 || !WebAssembly.validate(moduleBytes())) return plainProjection(count);
  const memory = new WebAssembly.Memory({ initial: pages });
  compiled ??= new WebAssembly.Module(moduleBytes());
  const { dots, subtract } = new WebAssembly.Instance(compiled, { m: { m: memory } }).exports as Record<
    "dots" | "subtract",
    (...places: number[]) => void
  >;
  const loop =
    (body: (...places: number[]) => void): PairLoop =>
    (u, v, p, length, stride) =>
      body(8 * u, 8 * v, 8 * p, 8 * length, 8 * stride);
  return { values: new Float64Array(memory.buffer, 0, count), dots: loop(dots), subtract: loop(subtract) };
}

let compiled: object | undefined;

/** The same in plain loops, with the same bits. */
export function plainProjection(count: number): Projection {
  const x = new Float64Array(count);
  return {
    values: x,
    dots(u, v, p, length, stride) {
      for (let pair = 0; pair < unitsOfCall * othersOfCall; pair++) {
        const a = u + Math.floor(pair / othersOfCall) * stride;
        const b = v + (pair % othersOfCall) * stride;
        let even = 0;
        let odd = 0;
        for (let j = 0; j < length; j += 2) {
          even += x[a + j]! * x[b + j]!;
          odd += x[a + j + 1]! * x[b + j + 1]!;
        }
        x[p + pair]! += even + odd;
      }
    },
    subtract(u, v, p, length, stride) {
      for (let pair = 0; pair < unitsOfCall * othersOfCall; pair++) {
        const a = u + Math.floor(pair / othersOfCall) * stride;
        const b = v + (pair % othersOfCall) * stride;
        for (let j = 0; j < length; j++) x[b + j]! -= x[p + pair]! * x[a + j]!;
      }
    },
  };
}

/** Unsigned LEB128, as the binary format has its numbers. */
function number(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...number(value >>> 7)];
}

const sized = (bytes: readonly number[]): number[] => [...number(bytes.length), ...bytes];
const list = (items: readonly (readonly number[])[]): number[] => [...number(items.length), ...items.flat()];
const section = (id: number, items: readonly (readonly number[])[]): number[] => [id, ...sized(list(items))];
const text = (name: string): number[] => sized([...name].map((letter) => letter.charCodeAt(0)));

const types = { i32: 0x7f, v128: 0x7b };
const get = (local: number): number[] => [0x20, ...number(local)];
const set = (local: number): number[] => [0x21, ...number(local)];
const vector = (operation: number): number[] => [0xfd, ...number(operation)];
/** Alignment (a hint) and offset of an access. */
const at = (offset: number): number[] => [3, ...number(offset)];
const load = (place: number, offset: number): number[] => [...get(place), ...vector(0x00), ...at(offset)];
const loadTwice = (place: number, offset: number): number[] => [...get(place), ...vector(0x0a), ...at(offset)];
const add = vector(0xf0);
const subtraction = vector(0xf1);
const times = vector(0xf2);
const addIntegers = 0x6a;

/** Parameters of both functions by their numbers as locals, and then the places of the other vectors. */
const [u0, v0, p, length, stride, u1, u2, u3, v1] = [0, 1, 2, 3, 4, 5, 6, 7, 8] as const;
const us = [u0, u1, u2, u3];
const vs = [v0, v1];
/** A local for each pair, and one for each of the vectors in hand. */
const pairs = [9, 10, 11, 12, 13, 14, 15, 16];
const held = [17, 18];
const unit = 19;

function functionBody(instructions: readonly number[]): number[] {
  const next = (place: number, from: number): number[] => [...get(from), ...get(stride), addIntegers, ...set(place)];
  const places = [...next(u1, u0), ...next(u2, u1), ...next(u3, u2), ...next(v1, v0)];
  const locals = list([
    [4, types.i32],
    [11, types.v128],
  ]);
  return sized([...locals, ...places, ...instructions, 0x0b]);
}

/** Runs `round(offset)` for the two vectors of each 32 bytes, until `length` is used up. */
function loop(round: (offset: number) => readonly number[]): number[] {
  const onwards = [...us, ...vs].flatMap((place) => [...get(place), 0x41, 32, addIntegers, ...set(place)]);
  const less = [...get(length), 0x41, 32, 0x6b, 0x22, length];
  return [0x03, 0x40, ...round(0), ...round(16), ...onwards, ...less, 0x0d, 0, 0x0b];
}

function dotsBody(): number[] {
  const round = (offset: number): number[] => [
    ...vs.flatMap((place, k) => [...load(place, offset), ...set(held[k]!)]),
    ...us.flatMap((place, i) => [
      ...[...load(place, offset), ...set(unit)],
      ...held.flatMap((other, k) => {
        const sum = pairs[2 * i + k]!;
        return [...get(sum), ...get(unit), ...get(other), ...times, ...add, ...set(sum)];
      }),
    ]),
  ];
  const store = pairs.flatMap((sum, pair) => {
    const lane = (which: number): number[] => [...get(sum), ...vector(0x21), which];
    const before = [...get(p), 0x2b, ...at(8 * pair)];
    return [...get(p), ...before, ...lane(0), ...lane(1), 0xa0, 0xa0, 0x39, ...at(8 * pair)];
  });
  return functionBody([...loop(round), ...store]);
}

function subtractBody(): number[] {
  const coefficients = pairs.flatMap((factor, pair) => [...loadTwice(p, 8 * pair), ...set(factor)]);
  const round = (offset: number): number[] => [
    ...vs.flatMap((place, k) => [...load(place, offset), ...set(held[k]!)]),
    ...us.flatMap((place, i) => [
      ...[...load(place, offset), ...set(unit)],
      ...held.flatMap((other, k) => [
        ...[...get(other), ...get(pairs[2 * i + k]!), ...get(unit), ...times, ...subtraction, ...set(other)],
      ]),
    ]),
    ...vs.flatMap((place, k) => [...get(place), ...get(held[k]!), ...vector(0x0b), ...at(offset)]),
  ];
  return functionBody([...coefficients, ...loop(round)]);
}

let bytes: Uint8Array | undefined;

/** The module: a memory `m.m` comes in, `dots` and `subtract` go out. */
function moduleBytes(): Uint8Array {
  bytes ??= Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [[0x60, ...list(Array.from({ length: 5 }, () => [types.i32])), 0]]),
    ...section(2, [[...text("m"), ...text("m"), 0x02, 0x00, 0]]),
    ...section(3, [[0], [0]]),
    ...section(7, [
      [...text("dots"), 0x00, 0],
      [...text("subtract"), 0x00, 1],
    ]),
    ...section(10, [dotsBody(), subtractBody()]),
  ]);
  return bytes;
}
