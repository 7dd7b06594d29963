const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;
const ROUNDS = 10;

/** The upper 32 bits of a product of two unsigned 32-bit integers. */
function multiplyHigh(a: number, b: number): number {
  const low = b & 0xffff;
  const high = b >>> 16;
  // both products stay below 2^48, so doubles hold them exactly
  return Math.floor((a * high + Math.floor((a * low) / 0x10000)) / 0x10000);
}

/**
 * One block of Philox 4x32-10: four 32-bit words out of a 128-bit counter and a 64-bit key, written to `out`
 * from `offset` on. A pure function: equal on every machine.
 * @see Salmon, Moraes, Dror, Shaw (2011), "Parallel random numbers: as easy as 1, 2, 3",
 * https://doi.org/10.1145/2063384.2063405, section 3.4
 */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
  out: Uint32Array,
  offset = 0,
): void {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0);
    const low0 = Math.imul(MULTIPLIER_0, c0);
    const high1 = multiplyHigh(MULTIPLIER_1, c2);
    const low1 = Math.imul(MULTIPLIER_1, c2);
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1 >>> 0;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0 >>> 0;
    k0 = (k0 + WEYL_0) >>> 0;
    k1 = (k1 + WEYL_1) >>> 0;
  }
  out[offset] = c0;
  out[offset + 1] = c1;
  out[offset + 2] = c2;
  out[offset + 3] = c3;
}

/**
 * A 64-bit stream number out of a parent's and a name: the name's UTF-8 bytes, 16 at a time, go through Philox
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
  for (let at = 0; at < padded.length; at += 16) {
    const word = (index: number): number => view.getUint32(at + 4 * index, true);
    philox([word(0), word(1), word(2), word(3)], [low, high], out);
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
  let series = 0;
  for (let n = 21; n >= 1; n -= 2) series = series * square + 1 / n;
  return exponent * LN2_HIGH + (2 * s * series + exponent * LN2_LOW);
}

/** `cos 2πx` and `sin 2πx` for `x` in [0, 1), of basic arithmetic only, for the same reason. */
export function portableCircle(x: number): [number, number] {
  const quadrant = Math.floor(4 * x + 0.5);
  const angle = (4 * x - quadrant) * HALF_PI; // in [−π/4, π/4]
  const square = angle * angle;
  let cosine = 1;
  let sine = 1;
  for (let n = 16; n >= 2; n -= 2) {
    cosine = 1 - (cosine * square) / (n * (n - 1));
    sine = 1 - (sine * square) / (n * (n + 1));
  }
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
