// The transforms of fft.ts: four rows at a time, lane i of every vector belongs to row i. A complex number is two vectors,
// 32 bytes. Lengths of factors 2, 3 and 5 run as Stockham passes (Stockham, 1966: no bit reversal); others by
// Bluestein's convolution (1970).
import { addressArgument, argument } from "./threads";

const SINE_60: f32 = 0.8660254037844386;
const COSINE_72: f32 = 0.30901699437494745;
const COSINE_144: f32 = -0.8090169943749475;
const SINE_72: f32 = 0.9510565162951535;
const SINE_144: f32 = 0.5877852522924731;

// Words of a job.
export const INPUT: i32 = 0;
export const OUTPUT: i32 = 1;
export const ROWS: i32 = 2;
export const LENGTH: i32 = 3;
/** Complex length of the rows. */
export const SIZE: i32 = 4;
/** Complex length of the passes: the rows' own, or that of Bluestein's convolution. */
export const PASS_SIZE: i32 = 5;
export const PASSES: i32 = 6;
export const TWIDDLES: i32 = 7;
/** `e^(−2πik/n)` for k from 0 to n/2, where n is even. */
export const ROTATIONS: i32 = 8;
/** `e^(−πik²/size)`; 0 where the passes do the rows themselves. */
export const CHIRP: i32 = 9;
export const CHIRP_SPECTRUM: i32 = 10;
export const WORKSPACE: i32 = 11;
export const SCALE: i32 = 12;
/** Scale of the bins between the first and the one at half the sampling rate. */
export const INNER_SCALE: i32 = 13;
/** From here on one radix a pass. */
export const RADICES: i32 = 16;

// @ts-ignore: decorator
@inline
export function timesReal(ar: v128, ai: v128, br: v128, bi: v128): v128 {
  return f32x4.sub(f32x4.mul(ar, br), f32x4.mul(ai, bi));
}

// @ts-ignore: decorator
@inline
export function timesImaginary(ar: v128, ai: v128, br: v128, bi: v128): v128 {
  return f32x4.add(f32x4.mul(ar, bi), f32x4.mul(ai, br));
}

/** Stores a number times the twiddle at `w`. */
// @ts-ignore: decorator
@inline
function storeTurned(y: usize, re: v128, im: v128, w: usize): void {
  const wr = v128.load_splat<f32>(w),
    wi = v128.load_splat<f32>(w, 4);
  v128.store(y, timesReal(re, im, wr, wi));
  v128.store(y, timesImaginary(re, im, wr, wi), 16);
}

// Each pass takes `parts` blocks of `stride` numbers from `radix` places of x, and writes their small transforms, turned
// by the block's twiddles, next to each other in y.

function passTwo(x: usize, y: usize, parts: i32, stride: i32, w: usize): void {
  const far = (<usize>parts * <usize>stride) << 5,
    next = <usize>stride << 5;
  for (let part = 0; part < parts; part++) {
    for (let q = 0; q < stride; q++) {
      const ar = v128.load(x),
        ai = v128.load(x, 16),
        br = v128.load(x + far),
        bi = v128.load(x + far, 16);
      v128.store(y, f32x4.add(ar, br));
      v128.store(y, f32x4.add(ai, bi), 16);
      storeTurned(y + next, f32x4.sub(ar, br), f32x4.sub(ai, bi), w);
      x += 32;
      y += 32;
    }
    y += next;
    w += 8;
  }
}

function passThree(x: usize, y: usize, parts: i32, stride: i32, w: usize): void {
  const far = (<usize>parts * <usize>stride) << 5,
    next = <usize>stride << 5,
    half = f32x4.splat(0.5),
    sine = f32x4.splat(SINE_60);
  for (let part = 0; part < parts; part++) {
    for (let q = 0; q < stride; q++) {
      const br = v128.load(x + far),
        bi = v128.load(x + far, 16),
        cr = v128.load(x + 2 * far),
        ci = v128.load(x + 2 * far, 16);
      const sr = f32x4.add(br, cr),
        si = f32x4.add(bi, ci),
        dr = f32x4.mul(f32x4.sub(br, cr), sine),
        di = f32x4.mul(f32x4.sub(bi, ci), sine);
      const ar = v128.load(x),
        ai = v128.load(x, 16);
      v128.store(y, f32x4.add(ar, sr));
      v128.store(y, f32x4.add(ai, si), 16);
      const mr = f32x4.sub(ar, f32x4.mul(sr, half)),
        mi = f32x4.sub(ai, f32x4.mul(si, half));
      storeTurned(y + next, f32x4.add(mr, di), f32x4.sub(mi, dr), w);
      storeTurned(y + 2 * next, f32x4.sub(mr, di), f32x4.add(mi, dr), w + 8);
      x += 32;
      y += 32;
    }
    y += 2 * next;
    w += 16;
  }
}

function passFour(x: usize, y: usize, parts: i32, stride: i32, w: usize): void {
  const far = (<usize>parts * <usize>stride) << 5,
    next = <usize>stride << 5;
  for (let part = 0; part < parts; part++) {
    for (let q = 0; q < stride; q++) {
      const ar = v128.load(x),
        ai = v128.load(x, 16),
        cr = v128.load(x + 2 * far),
        ci = v128.load(x + 2 * far, 16);
      const evenR = f32x4.add(ar, cr),
        evenI = f32x4.add(ai, ci),
        otherR = f32x4.sub(ar, cr),
        otherI = f32x4.sub(ai, ci);
      const br = v128.load(x + far),
        bi = v128.load(x + far, 16),
        dr = v128.load(x + 3 * far),
        di = v128.load(x + 3 * far, 16);
      const oddR = f32x4.add(br, dr),
        oddI = f32x4.add(bi, di),
        gapR = f32x4.sub(br, dr),
        gapI = f32x4.sub(bi, di);
      v128.store(y, f32x4.add(evenR, oddR));
      v128.store(y, f32x4.add(evenI, oddI), 16);
      storeTurned(y + next, f32x4.add(otherR, gapI), f32x4.sub(otherI, gapR), w);
      storeTurned(y + 2 * next, f32x4.sub(evenR, oddR), f32x4.sub(evenI, oddI), w + 8);
      storeTurned(y + 3 * next, f32x4.sub(otherR, gapI), f32x4.add(otherI, gapR), w + 16);
      x += 32;
      y += 32;
    }
    y += 3 * next;
    w += 24;
  }
}

function passFive(x: usize, y: usize, parts: i32, stride: i32, w: usize): void {
  const far = (<usize>parts * <usize>stride) << 5,
    next = <usize>stride << 5,
    c1 = f32x4.splat(COSINE_72),
    c2 = f32x4.splat(COSINE_144),
    s1 = f32x4.splat(SINE_72),
    s2 = f32x4.splat(SINE_144);
  for (let part = 0; part < parts; part++) {
    for (let q = 0; q < stride; q++) {
      const br = v128.load(x + far),
        bi = v128.load(x + far, 16),
        er = v128.load(x + 4 * far),
        ei = v128.load(x + 4 * far, 16),
        cr = v128.load(x + 2 * far),
        ci = v128.load(x + 2 * far, 16),
        dr = v128.load(x + 3 * far),
        di = v128.load(x + 3 * far, 16);
      const outerR = f32x4.add(br, er),
        outerI = f32x4.add(bi, ei),
        innerR = f32x4.add(cr, dr),
        innerI = f32x4.add(ci, di),
        outerGapR = f32x4.sub(br, er),
        outerGapI = f32x4.sub(bi, ei),
        innerGapR = f32x4.sub(cr, dr),
        innerGapI = f32x4.sub(ci, di);
      const ar = v128.load(x),
        ai = v128.load(x, 16);
      v128.store(y, f32x4.add(ar, f32x4.add(outerR, innerR)));
      v128.store(y, f32x4.add(ai, f32x4.add(outerI, innerI)), 16);
      let mr = f32x4.add(ar, f32x4.add(f32x4.mul(outerR, c1), f32x4.mul(innerR, c2))),
        mi = f32x4.add(ai, f32x4.add(f32x4.mul(outerI, c1), f32x4.mul(innerI, c2))),
        tr = f32x4.add(f32x4.mul(outerGapR, s1), f32x4.mul(innerGapR, s2)),
        ti = f32x4.add(f32x4.mul(outerGapI, s1), f32x4.mul(innerGapI, s2));
      storeTurned(y + next, f32x4.add(mr, ti), f32x4.sub(mi, tr), w);
      storeTurned(y + 4 * next, f32x4.sub(mr, ti), f32x4.add(mi, tr), w + 24);
      mr = f32x4.add(ar, f32x4.add(f32x4.mul(outerR, c2), f32x4.mul(innerR, c1)));
      mi = f32x4.add(ai, f32x4.add(f32x4.mul(outerI, c2), f32x4.mul(innerI, c1)));
      tr = f32x4.sub(f32x4.mul(outerGapR, s2), f32x4.mul(innerGapR, s1));
      ti = f32x4.sub(f32x4.mul(outerGapI, s2), f32x4.mul(innerGapI, s1));
      storeTurned(y + 2 * next, f32x4.add(mr, ti), f32x4.sub(mi, tr), w + 8);
      storeTurned(y + 3 * next, f32x4.sub(mr, ti), f32x4.add(mi, tr), w + 16);
      x += 32;
      y += 32;
    }
    y += 4 * next;
    w += 32;
  }
}

/** `Σ x e^(−2πijk/size)` of the numbers at `x`, unscaled. @returns where the result lies: `x` or `y` */
function runPasses(x: usize, y: usize): usize {
  const passes = argument(PASSES);
  let size = argument(PASS_SIZE),
    stride = 1,
    twiddles = addressArgument(TWIDDLES);
  for (let pass = 0; pass < passes; pass++) {
    const radix = argument(RADICES + pass),
      parts = size / radix;
    if (radix == 4) passFour(x, y, parts, stride, twiddles);
    else if (radix == 2) passTwo(x, y, parts, stride, twiddles);
    else if (radix == 3) passThree(x, y, parts, stride, twiddles);
    else passFive(x, y, parts, stride, twiddles);
    twiddles += (<usize>parts * <usize>(radix - 1)) << 3;
    size = parts;
    stride *= radix;
    const other = x;
    x = y;
    y = other;
  }
  return x;
}

/** Multiplies `count` numbers by the complex numbers at `factors`, and turns the sign of the imaginary parts if asked. */
function multiplyNumbers(x: usize, factors: usize, count: i32, conjugate: bool): void {
  const sign = f32x4.splat(conjugate ? -1 : 1);
  for (let i = 0; i < count; i++) {
    const wr = v128.load_splat<f32>(factors),
      wi = v128.load_splat<f32>(factors, 4),
      re = v128.load(x),
      im = v128.load(x, 16);
    v128.store(x, timesReal(re, im, wr, wi));
    v128.store(x, f32x4.mul(timesImaginary(re, im, wr, wi), sign), 16);
    x += 32;
    factors += 8;
  }
}

export function conjugateNumbers(x: usize, count: i32): void {
  for (let i = 0; i < count; i++) {
    v128.store(x, f32x4.neg(v128.load(x, 16)), 16);
    x += 32;
  }
}

/** The transform of the rows' numbers at `x`. @returns where the result lies */
export function transform(x: usize, y: usize): usize {
  const chirp = addressArgument(CHIRP);
  if (!chirp) return runPasses(x, y);
  const size = argument(SIZE),
    passSize = argument(PASS_SIZE);
  multiplyNumbers(x, chirp, size, false);
  memory.fill(x + (<usize>size << 5), 0, (<usize>passSize - <usize>size) << 5);
  let result = runPasses(x, y);
  // the inverse transform is the transform between two turns of the sign
  multiplyNumbers(result, addressArgument(CHIRP_SPECTRUM), passSize, true);
  result = runPasses(result, result == x ? y : x);
  conjugateNumbers(result, size);
  multiplyNumbers(result, chirp, size, false);
  return result;
}
