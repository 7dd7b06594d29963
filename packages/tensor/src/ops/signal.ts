import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../arguments.js";
import { DTypeError, InputError, ShapeError } from "../errors.js";
import { inverseRealFftKernel, realFftKernel } from "../kernels/real-fft/real-fft-rows.js";
import { tidy } from "../memory.js";
import { formatShape, sizeOf } from "../shape.js";
import { tensor } from "../tensor.js";
import { assertTensor } from "./broadcast.js";
import { reshape } from "./shape-ops.js";
import { narrow, pad } from "./slice.js";

/** How a transform is scaled: `"backward"` scales the inverse by 1/length, `"forward"` the transform, `"ortho"` both by 1/√length. */
export type FftNormalization = "backward" | "ortho" | "forward";

/** Options of {@link rfft} and {@link irfft}. */
export interface FftOptions {
  /** Samples of the real signal; the input is cut, or filled up with zeros, to fit. */
  readonly length?: number;
  /** Default `"backward"`. */
  readonly normalization?: FftNormalization;
}

/** Scale of a transform in one direction. */
function scaleOf(
  operation: string,
  { length, normalization }: Required<FftOptions>,
  inverse: boolean,
): number {
  if (normalization === "ortho") return 1 / Math.sqrt(length);
  if (normalization === "backward") return inverse ? 1 / length : 1;
  if (normalization === "forward") return inverse ? 1 : 1 / length;
  throw new InputError(
    `${operation}: expected normalization "backward", "ortho" or "forward", got ${String(normalization)}`,
  );
}

/** @throws unless `x` is float32. */
export function assertSignal(operation: string, x: Tensor): void {
  assertTensor(operation, x);
  if (x.dtype !== "float32")
    throw new DTypeError(`${operation}: expected float32, got ${x.dtype}; cast it first`);
}

/** @throws InputError unless `value` is a whole number from `least` on. */
export function assertCount(operation: string, name: string, value: number, least: number): void {
  if (!Number.isInteger(value) || value < least)
    throw new InputError(`${operation}: expected ${name} as a whole number from ${least} on, got ${value}`);
}

/** Cuts an axis or fills it up with zeros. @param x `[..., size, ...]` @returns `[..., length, ...]` */
export function resizeAxis(x: Tensor, axis: number, length: number): Tensor {
  const size = x.shape[axis];
  if (size === length) return x;
  if (size > length) return narrow(x, { axis, start: 0, length });
  return pad(
    x,
    x.shape.map((_, other): [number, number] => [0, other === axis ? length - size : 0]),
  );
}

/**
 * Discrete Fourier transform of a real signal, `torch.fft.rfft`: `Xₖ = Σ xⱼ e^(−2πijk/length)` for k up to length/2; the
 * other bins are conjugates of these. Complex numbers are a last axis of size 2, real and imaginary parts, so that
 * tensors stay float32. Any length, in O(length · log length).
 * @param x `[..., samples]`
 * @returns `[..., ⌊length/2⌋ + 1, 2]`
 * @throws ShapeError for a scalar or no samples. @throws DTypeError for integers. @throws InputError for a wrong option.
 * @see Cooley, Tukey (1965), "An algorithm for the machine calculation of complex Fourier series", https://doi.org/10.1090/S0025-5718-1965-0178586-1
 * @example
 * const bins = rfft(signal); // [batch, 201, 2] for 400 samples
 * const power = sum(square(bins), { axes: -1 }); // [batch, 201]
 */
export function rfft(x: Tensor, options: FftOptions = {}): Tensor {
  assertOptions("rfft", options, ["length", "normalization"]);
  assertSignal("rfft", x);
  const axis = x.shape.length - 1;
  if (axis < 0) throw new ShapeError("rfft: expected x [..., samples], got a scalar");
  const { length = x.shape[axis], normalization = "backward" } = options;
  if (options.length === undefined && length === 0)
    throw new ShapeError(`rfft: expected at least one sample, got ${formatShape(x.shape)}; pass a length`);
  assertCount("rfft", "length", length, 1);
  const scale = scaleOf("rfft", { length, normalization }, false);
  return tidy(() => {
    const batch = x.shape.slice(0, -1);
    const rows = reshape(resizeAxis(x, axis, length), [sizeOf(batch), length]); // [rows, length]
    const bins = realFftKernel({ x: rows }, { length, scale, doubled: false }); // [rows, bins, 2]
    return reshape(bins, [...batch, Math.floor(length / 2) + 1, 2]); // [..., bins, 2]
  });
}

/**
 * The real signal of the bins that {@link rfft} gives, `torch.fft.irfft`. The imaginary parts of the first bin and, for
 * an even length, of the one at length/2 mean nothing. An odd signal needs its `length`.
 * @param x `[..., bins, 2]`, real and imaginary parts
 * @returns `[..., length]`; 2 · (bins − 1) samples without a `length`
 * @throws ShapeError unless the last axis is of size 2. @throws DTypeError for integers. @throws InputError for a wrong option.
 */
export function irfft(x: Tensor, options: FftOptions = {}): Tensor {
  assertOptions("irfft", options, ["length", "normalization"]);
  assertSignal("irfft", x);
  const rank = x.shape.length;
  if (rank < 2 || x.shape[rank - 1] !== 2)
    throw new ShapeError(
      `irfft: expected x [..., bins, 2], real and imaginary parts, got ${formatShape(x.shape)}`,
    );
  const { length = 2 * (x.shape[rank - 2] - 1), normalization = "backward" } = options;
  if (options.length === undefined && length < 1)
    throw new ShapeError(`irfft: expected at least two bins, got ${formatShape(x.shape)}; pass a length`);
  assertCount("irfft", "length", length, 1);
  const scale = scaleOf("irfft", { length, normalization }, true);
  return tidy(() => {
    const batch = x.shape.slice(0, -2);
    const bins = Math.floor(length / 2) + 1;
    const rows = reshape(resizeAxis(x, rank - 2, bins), [sizeOf(batch), bins, 2]); // [rows, bins, 2]
    return reshape(inverseRealFftKernel({ x: rows }, { length, scale, doubled: true }), [...batch, length]); // [..., length]
  });
}

/** Options of {@link hannWindow}. */
export interface WindowOptions {
  /** One period of `length` samples, as spectra want it; false: symmetric, the last sample is 0 too. Default true. */
  readonly periodic?: boolean;
}

/**
 * Hann's window, `½ − ½ cos(2πj/length)`, `torch.hann_window`. @returns `[length]`
 * @throws InputError for a length that is no whole number.
 */
export function hannWindow(length: number, options: WindowOptions = {}): Tensor {
  assertOptions("hannWindow", options, ["periodic?"]);
  assertCount("hannWindow", "length", length, 0);
  const period = (options.periodic ?? true) ? length : length - 1;
  const values = Float32Array.from({ length }, (_, j) =>
    length === 1 ? 1 : 0.5 - 0.5 * Math.cos((2 * Math.PI * j) / period),
  );
  return tensor(values);
}
