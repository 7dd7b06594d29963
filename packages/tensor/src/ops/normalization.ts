import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../arguments.js";
import { stopGradient } from "../autograd.js";
import { batchNormBackpropOnHost, batchNormTrainingOnHost } from "../backends/host/batch-norm.js";
import { batchNormBackpropWasm, batchNormTrainingWasm } from "../backends/wasm/ops/batch-norm.js";
import { batchNormBackpropWebgpu, batchNormTrainingWebgpu } from "../backends/webgpu/kernels/batch-norm.js";
import { DTypeError, InputError, ShapeError } from "../errors.js";
import { batchNormTrainingGradient } from "../gradients/normalization.js";
import { defineKernel } from "../kernels/define-kernel.js";
import { groupNormKernel } from "../kernels/group-norm/group-norm.js";
import { tidy } from "../memory.js";
import { formatShape, sizeOf } from "../shape.js";
import { add, div, mul, sub } from "./arithmetic.js";
import { assertTensor } from "./broadcast.js";
import { mean as meanOf, sum } from "./reduce.js";
import { reshape } from "./shape-ops.js";
import { rsqrt, square } from "./unary.js";

export type EpsilonAttributes = { epsilon: number };
export type BatchNormInputs = { x: Tensor; weight?: Tensor; bias?: Tensor };
export type BatchNormBackpropInputs = {
  x: Tensor;
  dy: Tensor;
  weight?: Tensor;
  mean: Tensor;
  variance: Tensor;
};

/** x `[rows, channels]`, weight and bias `[channels]` → y `[rows, channels]`, mean and variance `[channels]`. */
const batchNormTrainingKernel = /* @__PURE__ */ defineKernel<BatchNormInputs, EpsilonAttributes>({
  name: "BatchNormTraining",
  reference: batchNormTrainingReference,
  implementations: {
    cpu: batchNormTrainingOnHost,
    wasm: (call) => batchNormTrainingWasm(call) ?? batchNormTrainingOnHost(call),
    webgpu: (call) => batchNormTrainingWebgpu(call),
  },
  saves: ["x", "weight", "output"],
  gradient: batchNormTrainingGradient,
});

/** The same and dy `[rows, channels]` → dx `[rows, channels]`, dweight and dbias `[channels]`. */
const batchNormBackpropKernel = /* @__PURE__ */ defineKernel<BatchNormBackpropInputs, EpsilonAttributes>({
  name: "BatchNormBackprop",
  reference: batchNormBackpropReference,
  implementations: {
    cpu: batchNormBackpropOnHost,
    wasm: (call) => batchNormBackpropWasm(call) ?? batchNormBackpropOnHost(call),
    webgpu: (call) => batchNormBackpropWebgpu(call),
  },
});

function batchNormTrainingReference(
  { x, weight, bias }: BatchNormInputs,
  { epsilon }: EpsilonAttributes,
): Tensor[] {
  const [mean, variance] = channelStatistics(x);
  return [affine(mul(sub(x, mean), rsqrt(add(variance, epsilon))), weight, bias), mean, variance];
}

/** Mean and variance of each column. @param x `[rows, channels]` @internal */
export function channelStatistics(x: Tensor): [Tensor, Tensor] {
  const mean = meanOf(x, { axes: 0 });
  return [mean, meanOf(square(sub(x, mean)), { axes: 0 })];
}

function batchNormBackpropReference(
  { x, dy, weight, mean, variance }: BatchNormBackpropInputs,
  { epsilon }: EpsilonAttributes,
): Tensor[] {
  const rows = x.shape[0];
  const inverse = rsqrt(add(variance, epsilon));
  const normalized = mul(sub(x, mean), inverse);
  const total = sum(dy, { axes: 0 });
  const along = sum(mul(dy, normalized), { axes: 0 });
  const rest = sub(dy, div(add(total, mul(normalized, along)), rows));
  return [mul(rest, weight === undefined ? inverse : mul(inverse, weight)), along, total];
}

/** @internal */
export function batchNormBackprop(inputs: BatchNormBackpropInputs, attributes: EpsilonAttributes): Tensor[] {
  const { weight, ...rest } = inputs;
  return batchNormBackpropKernel.multiple(weight === undefined ? rest : { ...rest, weight }, attributes);
}

function affine(x: Tensor, weight: Tensor | undefined, bias: Tensor | undefined): Tensor {
  const scaled = weight === undefined ? x : mul(x, weight);
  return bias === undefined ? scaled : add(scaled, bias);
}

function checkChannels(operation: string, x: Tensor, perChannel: Record<string, Tensor | undefined>): number {
  if (!(x?.shape?.length >= 2))
    throw new ShapeError(
      `${operation}: expected x [batch, ..., channels], got ${formatShape(x?.shape ?? [])}`,
    );
  if (x.dtype !== "float32")
    throw new DTypeError(`${operation}: expected float32, got ${x.dtype}; cast it first`);
  const channels = x.shape[x.shape.length - 1];
  for (const name in perChannel) {
    const tensor = perChannel[name];
    if (tensor !== undefined) assertTensor(operation, tensor);
    if (tensor !== undefined && (tensor.shape.length !== 1 || tensor.shape[0] !== channels))
      throw new ShapeError(`${operation}: expected ${name} [${channels}], got ${formatShape(tensor.shape)}`);
  }
  return channels;
}

function checkEpsilon(operation: string, epsilon: number): void {
  if (!(epsilon >= 0)) throw new InputError(`${operation}: expected epsilon of at least 0, got ${epsilon}`);
}

/** Options of {@link batchNorm}. */
export interface BatchNormOptions {
  /** `[channels]` */
  readonly mean: Tensor;
  /** `[channels]` */
  readonly variance: Tensor;
  /** `[channels]`; ones when left out. */
  readonly weight?: Tensor;
  /** `[channels]`; zeros when left out. */
  readonly bias?: Tensor;
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
}

/**
 * Normalises each channel by given statistics: `y = (x − mean) / √(variance + ε) · weight + bias`. Differentiable in all of them.
 * @param x `[batch, ..., channels]`
 * @returns the shape of `x`.
 * @throws ShapeError when a statistic is not `[channels]`. @throws InputError for a negative epsilon.
 * @see Ioffe and Szegedy 2015, "Batch Normalization", https://arxiv.org/abs/1502.03167
 */
export function batchNorm(x: Tensor, options: BatchNormOptions): Tensor {
  assertOptions("batchNorm", options, ["mean", "variance", "weight", "bias", "epsilon"]);
  const { mean, variance, weight, bias, epsilon = 1e-5 } = options;
  checkChannels("batchNorm", x, { mean, variance, weight, bias });
  checkEpsilon("batchNorm", epsilon);
  return tidy(() => {
    const inverse = rsqrt(add(variance, epsilon)); // [channels]
    return affine(mul(sub(x, mean), weight === undefined ? inverse : mul(inverse, weight)), undefined, bias);
  });
}

/** Options of {@link batchNormTraining}. */
export interface BatchNormTrainingOptions {
  /** `[channels]`; ones when left out. */
  readonly weight?: Tensor;
  /** `[channels]`; zeros when left out. */
  readonly bias?: Tensor;
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
}

/** What {@link batchNormTraining} gives. */
export interface BatchNormTrainingResult {
  /** The normalised input, its shape. */
  readonly output: Tensor;
  /** Mean of each channel `[channels]`, a constant to gradients. */
  readonly mean: Tensor;
  /** Variance of each channel without Bessel's correction `[channels]`, a constant to gradients. */
  readonly variance: Tensor;
}

/**
 * Normalises each channel by its own mean and variance over all other axes, in one kernel; the gradient flows through
 * both. The statistics come back for running averages (PyTorch keeps `variance · n / (n − 1)` there); those of an
 * empty batch are NaN, and PyTorch leaves the running averages alone then.
 * @param x `[batch, ..., channels]` with more than one value a channel.
 * @returns `output` with the shape of `x`, `mean` and `variance` `[channels]`.
 * @throws ShapeError for a single value a channel, or a weight or bias that is not `[channels]`. @throws InputError for a negative epsilon.
 * @see Ioffe and Szegedy 2015, "Batch Normalization", https://arxiv.org/abs/1502.03167
 */
export function batchNormTraining(
  x: Tensor,
  options: BatchNormTrainingOptions = {},
): BatchNormTrainingResult {
  assertOptions("batchNormTraining", options, ["weight", "bias", "epsilon"]);
  const { weight, bias, epsilon = 1e-5 } = options;
  const channels = checkChannels("batchNormTraining", x, { weight, bias });
  checkEpsilon("batchNormTraining", epsilon);
  const rows = sizeOf(x.shape.slice(0, -1));
  if (rows === 1)
    throw new ShapeError(
      `batchNormTraining: expected more than one value a channel, got ${formatShape(x.shape)}; use a larger batch or batchNorm with running statistics`,
    );
  return tidy(() => {
    const inputs: { x: Tensor; weight?: Tensor; bias?: Tensor } = { x: reshape(x, [rows, channels]) };
    if (weight !== undefined) inputs.weight = weight;
    if (bias !== undefined) inputs.bias = bias;
    const [y, mean, variance] = batchNormTrainingKernel.multiple(inputs, { epsilon });
    return { output: reshape(y, x.shape), mean: stopGradient(mean), variance: stopGradient(variance) };
  });
}

/** Options of {@link groupNorm}. */
export interface GroupNormOptions {
  /** How many groups the channels are split into; it divides them. */
  readonly numGroups: number;
  /** `[channels]`; ones when left out. */
  readonly weight?: Tensor;
  /** `[channels]`; zeros when left out. */
  readonly bias?: Tensor;
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
}

/**
 * Normalises each group of channels of each sample by its own mean and variance, then scales and shifts each channel.
 * @param x `[batch, ..., channels]`
 * @returns the shape of `x`.
 * @throws ShapeError when the groups do not divide the channels, or a single sample has one value a group (as PyTorch refuses). @throws InputError for a number of groups below 1 or a negative epsilon.
 * @see Wu and He 2018, "Group Normalization", https://arxiv.org/abs/1803.08494
 */
export function groupNorm(x: Tensor, options: GroupNormOptions): Tensor {
  assertOptions("groupNorm", options, ["numGroups", "weight", "bias", "epsilon"]);
  const { numGroups, weight, bias, epsilon = 1e-5 } = options;
  const channels = checkChannels("groupNorm", x, { weight, bias });
  checkEpsilon("groupNorm", epsilon);
  if (!Number.isInteger(numGroups) || numGroups < 1)
    throw new InputError(`groupNorm: expected numGroups of at least 1, got ${numGroups}`);
  if (channels % numGroups !== 0)
    throw new ShapeError(`groupNorm: expected channels that ${numGroups} groups divide, got ${channels}`);
  if (x.size === numGroups)
    throw new ShapeError(
      `groupNorm: expected more than one value a group, got ${formatShape(x.shape)} in ${numGroups} groups; use fewer groups`,
    );
  return tidy(() => {
    const cells = sizeOf(x.shape.slice(1, -1));
    const rows = reshape(x, [x.shape[0], cells, channels]);
    return reshape(groupNormKernel({ x: rows, weight, bias }, { numGroups, epsilon }), x.shape);
  });
}
