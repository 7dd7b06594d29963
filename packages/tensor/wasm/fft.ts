// Fourier transforms of real rows, four rows at a time: lane i of every vector belongs to row i, so that no step needs a
// shuffle and a row's bits do not depend on its neighbours. A complex number is two vectors, 32 bytes.
//
// A row of even length n is a complex sequence of length n/2, else of length n with imaginary parts 0; fft-passes.ts
// transforms it.
import { divideUp } from "./layout";
import {
  CHIRP,
  CHIRP_SPECTRUM,
  INNER_SCALE,
  INPUT,
  LENGTH,
  OUTPUT,
  PASSES,
  PASS_SIZE,
  RADICES,
  ROTATIONS,
  ROWS,
  SCALE,
  SIZE,
  TWIDDLES,
  WORKSPACE,
  conjugateNumbers,
  timesImaginary,
  timesReal,
  transform,
} from "./fft-passes";
import { interleaveRows, transposeBlock } from "./pack";
import { addressArgument, argument, floatArgument, forTasks, setArgument, setFloatArgument, threadIndex } from "./threads";

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
