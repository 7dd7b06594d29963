// Fourier transforms of real rows, four rows at a time: lane i of every vector belongs to row i, so that no step needs a
// shuffle and a row's bits do not depend on its neighbours. A complex number is two vectors, 32 bytes.
//
// A row of even length n is a complex sequence of length n/2, else of length n with imaginary parts 0. Lengths of factors
// 2, 3 and 5 run as Stockham passes (Stockham, 1966: no bit reversal); others by Bluestein's convolution (1970).
import { divideUp } from "./layout";
import { interleaveRows, transposeBlock } from "./pack";
import { addressArgument, argument, floatArgument, forTasks, setArgument, setFloatArgument, threadIndex } from "./threads";

const SINE_60: f32 = 0.8660254037844386;
const COSINE_72: f32 = 0.30901699437494745;
const COSINE_144: f32 = -0.8090169943749475;
const SINE_72: f32 = 0.9510565162951535;
const SINE_144: f32 = 0.5877852522924731;

// Words of a job.
const INPUT: i32 = 0;
const OUTPUT: i32 = 1;
const ROWS: i32 = 2;
const LENGTH: i32 = 3;
/** Complex length of the rows. */
const SIZE: i32 = 4;
/** Complex length of the passes: the rows' own, or that of Bluestein's convolution. */
const PASS_SIZE: i32 = 5;
const PASSES: i32 = 6;
const TWIDDLES: i32 = 7;
/** `e^(−2πik/n)` for k from 0 to n/2, where n is even. */
const ROTATIONS: i32 = 8;
/** `e^(−πik²/size)`; 0 where the passes do the rows themselves. */
const CHIRP: i32 = 9;
const CHIRP_SPECTRUM: i32 = 10;
const WORKSPACE: i32 = 11;
const SCALE: i32 = 12;
/** Scale of the bins between the first and the one at half the sampling rate. */
const INNER_SCALE: i32 = 13;
/** From here on one radix a pass. */
const RADICES: i32 = 16;

/** Bytes of one of a thread's two buffers: two numbers more than the passes need, for the last bin and its neighbour. */
// @ts-ignore: decorator
@inline
function bufferBytes(passSize: i32): usize {
  return (<usize>passSize + 2) << 5;
}

/** Bytes of working memory a thread needs. */
export function fftBytes(passSize: i32): i32 {
  return 2 * (passSize + 2) * 32;
}

/** Sets the radix of a pass: 2, 3, 4 or 5. */
export function setRadix(pass: i32, radix: i32): void {
  setArgument(RADICES + pass, radix);
}

// @ts-ignore: decorator
@inline
function timesReal(ar: v128, ai: v128, br: v128, bi: v128): v128 {
  return f32x4.sub(f32x4.mul(ar, br), f32x4.mul(ai, bi));
}

// @ts-ignore: decorator
@inline
function timesImaginary(ar: v128, ai: v128, br: v128, bi: v128): v128 {
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

function conjugateNumbers(x: usize, count: i32): void {
  for (let i = 0; i < count; i++) {
    v128.store(x, f32x4.neg(v128.load(x, 16)), 16);
    x += 32;
  }
}

/** The transform of the rows' numbers at `x`. @returns where the result lies */
function transform(x: usize, y: usize): usize {
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

/** Four rows of floats side by side; the rows that a last group lacks are its first. */
function loadRows(rows: usize, rowBytes: usize, present: i32, count: i32, output: usize): void {
  interleaveRows(
    rows,
    present > 1 ? rows + rowBytes : rows,
    present > 2 ? rows + 2 * rowBytes : rows,
    present > 3 ? rows + 3 * rowBytes : rows,
    count,
    output,
  );
}

/** The opposite: `count` floats of each of `present` rows. */
function storeRows(x: usize, rows: usize, rowBytes: usize, present: i32, count: i32): void {
  let i = 0;
  if (present == 4)
    for (; i + 4 <= count; i += 4) {
      transposeBlock(x, x + 16, x + 32, x + 48, rows + (<usize>i << 2), rowBytes);
      x += 64;
    }
  for (; i < count; i++) {
    for (let row = 0; row < present; row++)
      store<f32>(rows + <usize>row * rowBytes + (<usize>i << 2), load<f32>(x + (<usize>row << 2)));
    x += 16;
  }
}

/** Real numbers become complex ones, in place and from the end. */
function spread(x: usize, count: i32): void {
  for (let i = count - 1; i >= 0; i--) {
    const place = x + (<usize>i << 5);
    v128.store(place, v128.load(x + (<usize>i << 4)));
    v128.store(place, f32x4.splat(0), 16);
  }
}

/** The bins of real rows of even length from the transform of their halves. */
function untangle(z: usize, output: usize, half: i32): void {
  const half4 = f32x4.splat(0.5);
  let rotation = addressArgument(ROTATIONS);
  for (let k = 0; k <= half; k++) {
    const first = z + (<usize>(k == half ? 0 : k) << 5),
      mirrored = z + (<usize>(k == 0 ? 0 : half - k) << 5);
    const zr = v128.load(first),
      zi = v128.load(first, 16),
      mr = v128.load(mirrored),
      mi = v128.load(mirrored, 16);
    const evenR = f32x4.add(zr, mr),
      evenI = f32x4.sub(zi, mi),
      oddR = f32x4.add(zi, mi),
      oddI = f32x4.sub(mr, zr);
    const wr = v128.load_splat<f32>(rotation),
      wi = v128.load_splat<f32>(rotation, 4);
    const scale = f32x4.mul(half4, f32x4.splat(k == 0 || k == half ? floatArgument(SCALE) : floatArgument(INNER_SCALE)));
    v128.store(output, f32x4.mul(f32x4.add(evenR, timesReal(oddR, oddI, wr, wi)), scale));
    v128.store(output, f32x4.mul(f32x4.add(evenI, timesImaginary(oddR, oddI, wr, wi)), scale), 16);
    rotation += 8;
    output += 32;
  }
}

/** Multiplies the numbers after the first by `inner`, and the imaginary parts by `sign` too. */
function scaleNumbers(x: usize, count: i32, first: f32, inner: f32, sign: f32): void {
  for (let i = 0; i < count; i++) {
    const scale = f32x4.splat(i == 0 ? first : inner);
    v128.store(x, f32x4.mul(v128.load(x), scale));
    v128.store(x, f32x4.mul(v128.load(x, 16), f32x4.mul(scale, f32x4.splat(sign))), 16);
    x += 32;
  }
}

function forwardTask(task: i32, _: i32): void {
  const length = argument(LENGTH),
    bins = (length >> 1) + 1,
    present = min(4, argument(ROWS) - (task << 2)),
    rowBytes = <usize>length << 2,
    outputBytes = <usize>bins << 3,
    bytes = bufferBytes(argument(PASS_SIZE)),
    a = addressArgument(WORKSPACE) + <usize>threadIndex() * 2 * bytes,
    b = a + bytes;
  loadRows(addressArgument(INPUT) + (<usize>task << 2) * rowBytes, rowBytes, present, length, a);
  if (length & 1) spread(a, length);
  let result = transform(a, b);
  if (length & 1) scaleNumbers(result, bins, floatArgument(SCALE), floatArgument(INNER_SCALE), 1);
  else {
    const other = result == a ? b : a;
    untangle(result, other, length >> 1);
    result = other;
  }
  storeRows(result, addressArgument(OUTPUT) + (<usize>task << 2) * outputBytes, outputBytes, present, 2 * bins);
}

/** Halves of even rows from their bins at `x`, conjugated for the inverse transform. */
function tangle(x: usize, output: usize, half: i32): void {
  const outer = f32x4.splat(floatArgument(SCALE)),
    inner = f32x4.splat(0.5 * floatArgument(INNER_SCALE));
  let rotation = addressArgument(ROTATIONS);
  for (let k = 0; k < half; k++) {
    const first = x + (<usize>k << 5),
      mirrored = x + (<usize>(half - k) << 5);
    // the imaginary parts of the first bin and of the one at half the sampling rate mean nothing
    const edge = k == 0,
      scale = edge ? outer : inner;
    const fr = f32x4.mul(v128.load(first), scale),
      fi = edge ? f32x4.splat(0) : f32x4.mul(v128.load(first, 16), scale),
      mr = f32x4.mul(v128.load(mirrored), scale),
      mi = edge ? f32x4.splat(0) : f32x4.mul(v128.load(mirrored, 16), scale);
    const sumR = f32x4.add(fr, mr),
      sumI = f32x4.sub(fi, mi),
      gapR = f32x4.sub(fr, mr),
      gapI = f32x4.add(fi, mi);
    const wr = v128.load_splat<f32>(rotation),
      wi = f32x4.neg(v128.load_splat<f32>(rotation, 4));
    v128.store(output, f32x4.sub(sumR, timesImaginary(gapR, gapI, wr, wi)));
    v128.store(output, f32x4.neg(f32x4.add(sumI, timesReal(gapR, gapI, wr, wi))), 16);
    rotation += 8;
    output += 32;
  }
}

/** All numbers of odd rows from their bins at `x`, conjugated for the inverse transform, in place. */
function mirror(x: usize, length: i32): void {
  const bins = (length >> 1) + 1;
  scaleNumbers(x, bins, floatArgument(SCALE), 0.5 * floatArgument(INNER_SCALE), -1);
  v128.store(x, f32x4.splat(0), 16);
  for (let k = 1; k < bins; k++) {
    const from = x + (<usize>k << 5),
      to = x + (<usize>(length - k) << 5);
    v128.store(to, v128.load(from));
    v128.store(to, f32x4.neg(v128.load(from, 16)), 16);
  }
}

function inverseTask(task: i32, _: i32): void {
  const length = argument(LENGTH),
    bins = (length >> 1) + 1,
    present = min(4, argument(ROWS) - (task << 2)),
    inputBytes = <usize>bins << 3,
    rowBytes = <usize>length << 2,
    bytes = bufferBytes(argument(PASS_SIZE)),
    a = addressArgument(WORKSPACE) + <usize>threadIndex() * 2 * bytes,
    b = a + bytes,
    rows = addressArgument(OUTPUT) + (<usize>task << 2) * rowBytes;
  loadRows(addressArgument(INPUT) + (<usize>task << 2) * inputBytes, inputBytes, present, 2 * bins, a);
  if (length & 1) {
    mirror(a, length);
    const result = transform(a, b);
    // the real parts, one after the other
    for (let i = 0; i < length; i++)
      v128.store(result + (<usize>i << 4), v128.load(result + (<usize>i << 5)));
    storeRows(result, rows, rowBytes, present, length);
  } else {
    tangle(a, b, length >> 1);
    const result = transform(b, a);
    conjugateNumbers(result, length >> 1);
    storeRows(result, rows, rowBytes, present, length);
  }
}

function setFft(
  input: usize,
  output: usize,
  rows: i32,
  length: i32,
  passSize: i32,
  passes: i32,
  twiddles: usize,
  rotations: usize,
  chirp: usize,
  chirpSpectrum: usize,
  workspace: usize,
  scale: f32,
  innerScale: f32,
): f32 {
  setArgument(INPUT, input);
  setArgument(OUTPUT, output);
  setArgument(ROWS, rows);
  setArgument(LENGTH, length);
  setArgument(SIZE, length & 1 ? length : length >> 1);
  setArgument(PASS_SIZE, passSize);
  setArgument(PASSES, passes);
  setArgument(TWIDDLES, twiddles);
  setArgument(ROTATIONS, rotations);
  setArgument(CHIRP, chirp);
  setArgument(CHIRP_SPECTRUM, chirpSpectrum);
  setArgument(WORKSPACE, workspace);
  setFloatArgument(SCALE, scale);
  setFloatArgument(INNER_SCALE, innerScale);
  const work = passes + (chirp ? passes + 6 : 4);
  return <f32>divideUp(rows, 4) * <f32>passSize * <f32>work * 4;
}

/**
 * Bins `[rows, length / 2 + 1, 2]` of real rows `[rows, length]`, times `scale` (the first, and the one at half the
 * sampling rate) or `innerScale`. {@link setRadix} names the passes; tables as kernels/real-fft/plan.ts makes them.
 * @param workspace {@link fftBytes} for each thread
 */
export function realFft(
  input: usize,
  output: usize,
  rows: i32,
  length: i32,
  passSize: i32,
  passes: i32,
  twiddles: usize,
  rotations: usize,
  chirp: usize,
  chirpSpectrum: usize,
  workspace: usize,
  scale: f32,
  innerScale: f32,
): void {
  const cost = setFft(
    input,
    output,
    rows,
    length,
    passSize,
    passes,
    twiddles,
    rotations,
    chirp,
    chirpSpectrum,
    workspace,
    scale,
    innerScale,
  );
  forTasks(forwardTask, divideUp(rows, 4), cost);
}

/** `Re Σ scale · bin · e^(2πijk/length)` over the bins that are given: the adjoint of {@link realFft}. */
export function inverseRealFft(
  input: usize,
  output: usize,
  rows: i32,
  length: i32,
  passSize: i32,
  passes: i32,
  twiddles: usize,
  rotations: usize,
  chirp: usize,
  chirpSpectrum: usize,
  workspace: usize,
  scale: f32,
  innerScale: f32,
): void {
  const cost = setFft(
    input,
    output,
    rows,
    length,
    passSize,
    passes,
    twiddles,
    rotations,
    chirp,
    chirpSpectrum,
    workspace,
    scale,
    innerScale,
  );
  forTasks(inverseTask, divideUp(rows, 4), cost);
}
