const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;
const ROUNDS = 10;
const TWO_POW_32 = 2 ** 32;
const TWO_POW_MINUS_24 = 2 ** -24;

/** The upper 32 bits of a product of unsigned 32-bit integers; the first comes in halves. */
function multiplyHigh(aHigh: number, aLow: number, b: number): number {
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const low = Math.imul(aLow, bLow) >>> 16;
  const first = Math.imul(aHigh, bLow);
  const second = Math.imul(aLow, bHigh);
  const carry = ((first & 0xffff) + (second & 0xffff) + low) >>> 16;
  return Math.imul(aHigh, bHigh) + (first >>> 16) + (second >>> 16) + carry;
}

/**
 * Blocks of Philox 4x32-10: four 32-bit words out of a 128-bit counter and a 64-bit key. A pure function: equal on
 * every machine.
 * @param counter Four words, the lowest first; the lower two count the blocks on, as one integer.
 * @param key Two words.
 * @param out As many words as are wanted, a multiple of four.
 * @see Salmon, Moraes, Dror, Shaw (2011), "Parallel random numbers: as easy as 1, 2, 3",
 * https://doi.org/10.1145/2063384.2063405, section 3.4
 */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
  out: Uint32Array,
): void {
  const [countLow, countHigh, streamLow, streamHigh] = counter;
  const [keyLow, keyHigh] = key;
  for (let at = 0; at < out.length; at += 4) {
    const count = countLow + at / 4;
    let c0 = count | 0; // the bits count, not the sign
    let c1 = (countHigh + (count >= TWO_POW_32 ? 1 : 0)) | 0;
    let c2 = streamLow | 0;
    let c3 = streamHigh | 0;
    let k0 = keyLow | 0;
    let k1 = keyHigh | 0;
    for (let round = 0; round < ROUNDS; round++) {
      const high0 = multiplyHigh(MULTIPLIER_0 >>> 16, MULTIPLIER_0 & 0xffff, c0);
      const low0 = Math.imul(MULTIPLIER_0, c0);
      const high1 = multiplyHigh(MULTIPLIER_1 >>> 16, MULTIPLIER_1 & 0xffff, c2);
      const low1 = Math.imul(MULTIPLIER_1, c2);
      c0 = high1 ^ c1 ^ k0;
      c1 = low1;
      c2 = high0 ^ c3 ^ k1;
      c3 = low0;
      k0 = (k0 + WEYL_0) | 0;
      k1 = (k1 + WEYL_1) | 0;
    }
    out[at] = c0;
    out[at + 1] = c1;
    out[at + 2] = c2;
    out[at + 3] = c3;
  }
}

/** A place in a stream of 32-bit words: what `RandomState` says of one. */
export interface StreamPosition {
  readonly seed: number;
  /** Low and high half. */
  readonly stream: readonly [number, number];
  /** Number of the next word. */
  readonly counter: number;
}

/** The words of a seed in order: the key. */
export function keyOf(seed: number): [number, number] {
  return [seed >>> 0, Math.floor(seed / TWO_POW_32)];
}

/** Blocks of a stream from number `block` on. @param out As many words as are wanted, a multiple of four. */
export function fillBlocks(
  block: number,
  { seed, stream }: Pick<StreamPosition, "seed" | "stream">,
  out: Uint32Array,
): void {
  philox([block >>> 0, Math.floor(block / TWO_POW_32), stream[0], stream[1]], keyOf(seed), out);
}

/** `count` words from a place on; word `n` is word `n mod 4` of block `⌊n / 4⌋`. */
export function wordsFrom(position: StreamPosition, count: number): Uint32Array {
  const block = Math.floor(position.counter / 4);
  const skipped = position.counter - 4 * block;
  const words = new Uint32Array(4 * Math.ceil((skipped + count) / 4));
  fillBlocks(block, position, words);
  return words.subarray(skipped, skipped + count);
}

/** A number in [0, 1), a multiple of 2⁻²⁴. */
export function unitInterval(word: number): number {
  return (word >>> 8) * TWO_POW_MINUS_24;
}

/**
 * A 64-bit stream number out of a parent's and a name: the name's UTF-8 bytes, 8 at a time, go through Philox
 * with the running value as its key. The length is part of what is hashed, so that padding cannot collide.
 */
export function streamOf(parent: readonly [number, number], name: string): [number, number] {
  const bytes = new TextEncoder().encode(name);
  const padded = new Uint8Array(Math.ceil((bytes.length + 4) / 16) * 16);
  padded.set(bytes);
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 4, bytes.length, true);
  let [low, high] = parent;
  const out = new Uint32Array(4);
  for (let at = 0; at < padded.length; at += 8) {
    philox([0, 0, view.getUint32(at, true), view.getUint32(at + 4, true)], [low, high], out);
    low = (low ^ out[0] ^ out[2]) >>> 0;
    high = (high ^ out[1] ^ out[3]) >>> 0;
  }
  return [low, high];
}

const LN2_HIGH = 0.6931471803691238; // ln 2 with its last 32 bits zero: times an exponent it is exact
const LN2_LOW = 1.9082149292705877e-10; // ln 2 − LN2_HIGH
const HALF_PI = Math.PI / 2;

/**
 * Natural logarithm of a normal positive double by `ln m = 2·artanh((m − 1) / (m + 1))`. `Math.log` may differ
 * in the last bit from one JavaScript engine to the next; +, −, × and ÷ may not.
 */
export function portableLog(x: number): number {
  let mantissa = x;
  let exponent = 0;
  while (mantissa < Math.SQRT1_2) {
    mantissa *= 2;
    exponent--;
  }
  while (mantissa > Math.SQRT2) {
    mantissa /= 2;
    exponent++;
  }
  const s = (mantissa - 1) / (mantissa + 1);
  const square = s * s; // ≤ 0.0295, so that 11 terms reach the precision of a double
  let series = 1 / 19 + square / 21;
  series = 1 / 15 + square * (1 / 17 + square * series);
  series = 1 / 11 + square * (1 / 13 + square * series);
  series = 1 / 7 + square * (1 / 9 + square * series);
  series = 1 + square * (1 / 3 + square * (1 / 5 + square * series));
  return exponent * LN2_HIGH + (2 * s * series + exponent * LN2_LOW);
}

/** `cos 2πx` and `sin 2πx` for `x` in [0, 1), of basic arithmetic only, for the same reason. */
export function portableCircle(x: number): [number, number] {
  const quadrant = Math.floor(4 * x + 0.5);
  const angle = (4 * x - quadrant) * HALF_PI; // in [−π/4, π/4]
  const square = angle * angle;
  const z = -square;
  // Σ z^n / (2n)! and Σ z^n / (2n + 1)!
  let cosine = 1 / 479001600 + z * (1 / 87178291200 + z / 20922789888000);
  cosine = 1 / 720 + z * (1 / 40320 + z * (1 / 3628800 + z * cosine));
  cosine = 1 + z * (1 / 2 + z * (1 / 24 + z * cosine));
  let sine = 1 / 6227020800 + z * (1 / 1307674368000 + z / 355687428096000);
  sine = 1 / 5040 + z * (1 / 362880 + z * (1 / 39916800 + z * sine));
  sine = 1 + z * (1 / 6 + z * (1 / 120 + z * sine));
  sine *= angle;
  switch (quadrant % 4) {
    case 0:
      return [cosine, sine];
    case 1:
      return [-sine, cosine];
    case 2:
      return [-cosine, -sine];
    default:
      return [sine, -cosine];
  }
}

/** Two independent standard normal numbers out of two words. */
export function boxMuller(first: number, second: number): [number, number] {
  const radius = Math.sqrt(-2 * portableLog((first + 1) / TWO_POW_32));
  const [cosine, sine] = portableCircle(second / TWO_POW_32);
  return [radius * cosine, radius * sine];
}
