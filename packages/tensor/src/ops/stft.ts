import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../arguments.js";
import { hostValues } from "../backends/host/values.js";
import { InputError, ShapeError } from "../errors.js";
import { tidy } from "../memory.js";
import { formatShape, sameShape, sizeOf } from "../shape.js";
import { fromValues, ones, tensor, zeros } from "../tensor.js";
import { div, mul } from "./arithmetic.js";
import { concat } from "./concat.js";
import { gather, indexAdd } from "./indexing.js";
import { flip, reshape } from "./shape-ops.js";
import { assertCount, assertSignal, irfft, resizeAxis, rfft } from "./signal.js";
import { narrow, type PadMode, pad } from "./slice.js";
import { square } from "./unary.js";

/** What {@link stft} and {@link istft} share. */
interface FrameOptions {
  /** Samples of a frame. */
  readonly fftSize: number;
  /** Samples from one frame to the next. Default ⌊fftSize/4⌋. */
  readonly hopLength?: number;
  /** Samples of the window, which stands in the middle of the frame. Default fftSize. */
  readonly windowLength?: number;
  /** `[windowLength]` float32. Default: all ones. */
  readonly window?: Tensor;
  /** Frame `t` is centred at sample `t · hopLength`. Default true. */
  readonly center?: boolean;
  /** Bins are divided by √fftSize. Default false. */
  readonly normalized?: boolean;
  /** Bins from 0 to ⌊fftSize/2⌋ only; the others are their conjugates. Default true. */
  readonly onesided?: boolean;
}

/** Options of {@link stft}. */
export interface StftOptions extends FrameOptions {
  /** How the half frames that `center` needs at both ends are filled. Default `"reflect"`. */
  readonly padMode?: PadMode;
}

/** Options of {@link istft}. */
export interface IstftOptions extends FrameOptions {
  /** Samples to give: the signal is cut or filled up with zeros. Default: all that the frames cover. */
  readonly length?: number;
}

const FRAME_OPTIONS = [
  "fftSize",
  "hopLength",
  "windowLength",
  "window",
  "center?",
  "normalized?",
  "onesided?",
] as const;
/** Sum of squared windows below which a sample is not determined; as in PyTorch. */
const LEAST_ENVELOPE = 1e-11;

type Frames = Required<Omit<FrameOptions, "window" | "windowLength">>;

/** Checks the options. @returns them with defaults, and the window `[fftSize]` or undefined for ones */
function readOptions(
  operation: string,
  options: StftOptions & IstftOptions,
): { frames: Frames; window: Tensor | undefined } {
  const { fftSize, center = true, normalized = false, onesided = true, window } = options;
  assertCount(operation, "fftSize", fftSize, 1);
  const { hopLength = Math.floor(fftSize / 4), windowLength = window?.size ?? fftSize } = options;
  assertCount(operation, "hopLength", hopLength, 1);
  assertCount(operation, "windowLength", windowLength, 1);
  if (windowLength > fftSize)
    throw new InputError(
      `${operation}: expected windowLength of at most fftSize (${fftSize}), got ${windowLength}`,
    );
  if (window !== undefined) {
    assertSignal(operation, window);
    if (!sameShape(window.shape, [windowLength]))
      throw new ShapeError(
        `${operation}: expected a window [${windowLength}], got ${formatShape(window.shape)}`,
      );
  }
  for (const [name, value] of Object.entries({ center, normalized, onesided }))
    if (typeof value !== "boolean")
      throw new InputError(`${operation}: expected ${name} true or false, got ${String(value)}`);
  const frames = { fftSize, hopLength, center, normalized, onesided };
  if (window === undefined && windowLength === fftSize) return { frames, window: undefined };
  const before = Math.floor((fftSize - windowLength) / 2);
  const padded = pad(window ?? ones([windowLength]), [[before, fftSize - windowLength - before]]);
  return { frames, window: padded };
}

/** The longest block that frames begin and end with. */
function blockOf({ fftSize, hopLength }: Frames): number {
  let [a, b] = [fftSize, hopLength];
  while (b > 0) [a, b] = [b, a % b];
  return a;
}

/** For each block of each frame, the block of the signal. @returns `[count · fftSize / block]` int32 */
function blockIndices(count: number, frames: Frames): Tensor {
  const block = blockOf(frames);
  const [each, hop] = [frames.fftSize / block, frames.hopLength / block];
  const indices = new Int32Array(count * each);
  for (let i = 0; i < indices.length; i++) indices[i] = Math.floor(i / each) * hop + (i % each);
  return fromValues(indices, [indices.length], "int32");
}

/**
 * Short-time Fourier transform, `torch.stft`: the bins of overlapping windowed frames,
 * `X[t, k] = Σ window[j] · x[t · hopLength + j] · e^(−2πijk/fftSize)`. Frames come before bins (PyTorch: after), so that
 * a spectrogram is a sequence `[batch, frames, bins]`. Complex numbers are a last axis of size 2.
 * @param x `[..., samples]`
 * @returns `[..., frames, bins, 2]`: `⌊fftSize/2⌋ + 1` bins, or `fftSize` with `onesided: false`; with `center`
 * `1 + ⌊samples/hopLength⌋` frames (even fftSize), else `1 + ⌊(samples − fftSize)/hopLength⌋`
 * @throws ShapeError for a signal shorter than a frame, or a window of another length. @throws DTypeError for integers.
 * @throws InputError for an option out of range.
 * @see Allen, Rabiner (1977), "A unified approach to short-time Fourier analysis and synthesis", https://doi.org/10.1109/PROC.1977.10770
 * @example
 * const bins = stft(audio, { fftSize: 400, hopLength: 160, window: hannWindow(400) }); // [batch, frames, 201, 2]
 */
export function stft(x: Tensor, options: StftOptions): Tensor {
  assertOptions("stft", options, [...FRAME_OPTIONS, "padMode"]);
  assertSignal("stft", x);
  return tidy(() => {
    const { frames, window } = readOptions("stft", options);
    const { fftSize, hopLength, center, normalized, onesided } = frames;
    if (!center && options.padMode !== undefined)
      throw new InputError("stft: expected no padMode with center: false, got one; nothing is padded");
    const batch = x.shape.slice(0, -1);
    const half = Math.floor(fftSize / 2);
    let signal = x;
    if (center && x.shape.length > 0)
      signal = pad(
        x,
        x.shape.map((_, axis): [number, number] => (axis === batch.length ? [half, half] : [0, 0])),
        { mode: options.padMode ?? "reflect" },
      );
    const samples = signal.shape[batch.length] ?? 0;
    if (samples < fftSize)
      throw new ShapeError(
        `stft: expected x [..., samples] with at least a frame of ${fftSize} samples, got ${formatShape(x.shape)}${center ? " and padding" : ""}; pad it or use a smaller fftSize`,
      );
    const count = 1 + Math.floor((samples - fftSize) / hopLength);
    const block = blockOf(frames);
    const blocks = Math.floor(samples / block);
    const cut = reshape(resizeAxis(signal, batch.length, blocks * block), [sizeOf(batch), blocks, block]);
    const taken = gather(cut, blockIndices(count, frames), { axis: 1 });
    const framed = reshape(taken, [...batch, count, fftSize]); // [..., frames, fftSize]
    const bins = rfft(window === undefined ? framed : mul(framed, window), {
      normalization: normalized ? "ortho" : "backward",
    }); // [..., frames, bins, 2]
    return onesided ? bins : addMirrored(bins, fftSize);
  });
}

/** Adds the conjugates of the bins. @param bins `[..., bins, 2]` @returns `[..., fftSize, 2]` */
function addMirrored(bins: Tensor, fftSize: number): Tensor {
  const axis = bins.shape.length - 2;
  const count = fftSize - bins.shape[axis];
  if (count === 0) return bins;
  const mirrored = flip(narrow(bins, { axis, start: 1, length: count }), { axes: axis });
  return concat([bins, mul(mirrored, tensor([1, -1]))], { axis });
}

/**
 * The signal of a short-time Fourier transform, `torch.istft`: frames are added where they overlap and divided by the
 * sum of the squared windows, which gives the signal of {@link stft} back, and the nearest one for changed bins.
 * @param x `[..., frames, bins, 2]` as {@link stft} gives it under the same options
 * @returns `[..., samples]`; without `center` and `length`: `fftSize + (frames − 1) · hopLength`
 * @throws ShapeError when the bins do not fit. @throws DTypeError for integers.
 * @throws InputError for an option out of range, or windows that leave a sample undetermined (where the host has the window).
 * @see Griffin, Lim (1984), "Signal estimation from modified short-time Fourier transform", https://doi.org/10.1109/TASSP.1984.1164317
 */
export function istft(x: Tensor, options: IstftOptions): Tensor {
  assertOptions("istft", options, [...FRAME_OPTIONS, "length"]);
  assertSignal("istft", x);
  if (options.length !== undefined) assertCount("istft", "length", options.length, 0);
  return tidy(() => {
    const { frames, window } = readOptions("istft", options);
    const { fftSize, hopLength, center, normalized, onesided } = frames;
    const bins = Math.floor(fftSize / 2) + 1;
    const expected = onesided ? bins : fftSize;
    const [count, given, parts] = x.shape.slice(-3);
    if (x.shape.length < 3 || given !== expected || parts !== 2 || count === 0)
      throw new ShapeError(
        `istft: expected x [..., frames, ${expected}, 2], got ${formatShape(x.shape)}; check fftSize and onesided`,
      );
    const batch = x.shape.slice(0, -3);
    const frameAxis = batch.length;
    const half = resizeAxis(x, frameAxis + 1, bins);
    const signals = irfft(half, { length: fftSize, normalization: normalized ? "ortho" : "backward" });
    const rows = reshape(window === undefined ? signals : mul(signals, window), [
      sizeOf(batch),
      count * fftSize,
    ]);
    const total = fftSize + (count - 1) * hopLength;
    const begin = center ? Math.floor(fftSize / 2) : 0;
    const end = Math.min(total, options.length === undefined ? total - begin : begin + options.length);
    const weights = envelope(window, count, frames);
    const range = { axis: 1, start: begin, length: Math.max(0, end - begin) };
    const divisor = narrow(weights, range); // [1, samples]
    assertDetermined(divisor);
    const result = div(narrow(overlapAdd(rows, count, frames), range), divisor); // [rows, samples]
    const length = options.length ?? range.length;
    return reshape(resizeAxis(result, 1, length), [...batch, length]); // [..., samples]
  });
}

/** Adds frames where they overlap. @param x `[rows, frames · fftSize]` @returns `[rows, fftSize + (frames − 1) · hopLength]` */
function overlapAdd(x: Tensor, count: number, frames: Frames): Tensor {
  const { fftSize, hopLength } = frames;
  const [rows]: readonly number[] = x.shape;
  const block = blockOf(frames);
  const total = fftSize + (count - 1) * hopLength;
  const updates = reshape(x, [rows, (count * fftSize) / block, block]);
  const sums = indexAdd(zeros([rows, total / block, block]), blockIndices(count, frames), updates, {
    axis: 1,
  });
  return reshape(sums, [rows, total]);
}

/** Sum of the squared windows over each sample. @returns `[1, fftSize + (frames − 1) · hopLength]` */
function envelope(window: Tensor | undefined, count: number, frames: Frames): Tensor {
  const { fftSize } = frames;
  const one = window === undefined ? ones([1, fftSize]) : reshape(square(window), [1, fftSize]);
  const all = gather(one, zeros([count], "int32"), { axis: 0 }); // [frames, fftSize]
  return overlapAdd(reshape(all, [1, count * fftSize]), count, frames);
}

function assertDetermined(divisor: Tensor): void {
  const values = hostValues(divisor);
  if (values === undefined) return;
  const hole = values.findIndex((value) => Math.abs(value) < LEAST_ENVELOPE);
  if (hole >= 0)
    throw new InputError(
      `istft: expected windows that cover every sample, got a sum of their squares of ${values[hole]} at sample ${hole}; use a smaller hopLength or center: true`,
    );
}
