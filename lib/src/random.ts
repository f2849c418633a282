/**
 * The one source of random numbers: seeded, small, the same on every machine. Initial values, batches and sampling draw
 * from here and never from `Math.random`, so that a seed reproduces a run. Not for cryptography.
 */

/** The whole state of a generator: four 32-bit words. */
export type RandomState = readonly [number, number, number, number];

/** Everything about a generator: its state, and the normal that it holds back for the next call. */
export interface RandomSnapshot {
  readonly words: RandomState;
  readonly spareNormal?: number;
}

/**
 * Chris Doty-Humphrey's `sfc32` (PractRand): 128 bits of state, period at least 2^32 per seed, passes PractRand.
 */
export class Random {
  private a: number;
  private b: number;
  private c: number;
  private counter: number;
  private spareNormal: number | undefined;

  /** @param seed any finite number, or a state that {@link Random.state} gave */
  constructor(seed: number | RandomState) {
    if (typeof seed === "number") {
      if (!Number.isFinite(seed)) throw new RangeError(`seed is ${seed}, wanted a finite number`);
      // The fraction and the high half take part, so that 1, 1.5 and 2^32 + 1 are three seeds.
      const words = new Uint32Array(new Float64Array([seed]).buffer);
      this.a = words[0]! | 0;
      this.b = words[1]! | 0;
      this.c = 0x9e3779b9 | 0;
      this.counter = 1;
      // sfc32 needs some rounds before neighbouring seeds part.
      for (let i = 0; i < 15; i++) this.word();
    } else if (Array.isArray(seed)) {
      [this.a, this.b, this.c, this.counter] = seed;
    } else {
      throw new RangeError(`seed is ${JSON.stringify(seed)}, wanted a finite number`);
    }
  }

  /**
   * One of many generators of a seed, by its number: batch 1,000 can be made without the 999 before it.
   *
   * @param index an integer from 0 to 2^32 − 1
   */
  static at(seed: number, index: number): Random {
    const [a, b, c, counter] = new Random(seed).state;
    const random = new Random([a, b ^ index, c ^ Math.imul(index, 0x9e3779b9), counter]);
    for (let i = 0; i < 15; i++) random.word();
    return random;
  }

  /** The state now; `new Random(state)` continues with the same numbers (a spare normal is dropped). */
  get state(): RandomState {
    return [this.a, this.b, this.c, this.counter];
  }

  /** The state with the spare normal; {@link Random.restore} puts a generator back exactly here. */
  get snapshot(): RandomSnapshot {
    return { words: this.state, ...(this.spareNormal !== undefined && { spareNormal: this.spareNormal }) };
  }

  /** Puts the generator where another was. */
  restore({ words, spareNormal }: RandomSnapshot): void {
    [this.a, this.b, this.c, this.counter] = words;
    this.spareNormal = spareNormal;
  }

  /** 32 random bits as an unsigned integer. */
  word(): number {
    const t = (((this.a + this.b) | 0) + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = ((this.c << 21) | (this.c >>> 11)) + t;
    this.c |= 0;
    return t >>> 0;
  }

  /** Uniform in [low, high), with 53 random bits. */
  uniform(low = 0, high = 1): number {
    const fraction = (this.word() * 2 ** 21 + (this.word() >>> 11)) / 2 ** 53;
    return low + (high - low) * fraction;
  }

  /** Uniform over the integers 0 … bound − 1. */
  integer(bound: number): number {
    return Math.floor(this.uniform() * bound);
  }

  /** The items in an order that is as likely as any other (Fisher and Yates), in place. */
  shuffle<T extends { readonly length: number; [index: number]: unknown }>(items: T): T {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      [items[i], items[j]] = [items[j], items[i]];
    }
    return items;
  }

  /** Normal with mean 0 and standard deviation 1 (Marsaglia's polar method). */
  normal(): number {
    if (this.spareNormal !== undefined) {
      const spare = this.spareNormal;
      this.spareNormal = undefined;
      return spare;
    }
    for (;;) {
      const x = this.uniform(-1, 1);
      const y = this.uniform(-1, 1);
      const square = x * x + y * y;
      if (square > 0 && square < 1) {
        const factor = Math.sqrt((-2 * Math.log(square)) / square);
        this.spareNormal = y * factor;
        return x * factor;
      }
    }
  }
}
