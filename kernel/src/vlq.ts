/** The numbers of a source map: in base 64, of variable length, as differences to those of the segment before. */

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const VALUES = new Map([...DIGITS].map((digit, value) => [digit, value]));

/** The numbers of a segment. */
export function decodeSegment(segment: string): number[] {
  const found: number[] = [];
  let value = 0;
  let shift = 0;
  for (const digit of segment) {
    const bits = VALUES.get(digit) ?? 0;
    value |= (bits & 31) << shift;
    shift += 5;
    if (bits & 32) continue;
    found.push(value & 1 ? -(value >>> 1) : value >>> 1);
    value = 0;
    shift = 0;
  }
  return found;
}

/** A segment of these numbers. */
export function encodeSegment(numbers: readonly number[]): string {
  let text = "";
  for (const number of numbers) {
    let rest = number < 0 ? (-number << 1) | 1 : number << 1;
    do {
      const more = rest > 31;
      text += DIGITS[(rest & 31) | (more ? 32 : 0)] ?? "";
      rest >>>= 5;
    } while (rest > 0);
  }
  return text;
}
