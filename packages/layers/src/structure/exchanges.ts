import {
  add,
  argMax,
  div,
  equal,
  InputError,
  matMul,
  mul,
  noGrad,
  norm,
  oneHot,
  reshape,
  split,
  sqrt,
  sum,
  type Tensor,
  tensor,
  tidy,
  transpose,
  where,
} from "@ai/tensor";
import { MultiheadAttention } from "../attention.js";
import { Conv2d } from "../conv.js";
import { DepthwiseSeparableConv2d } from "../depthwise-separable.js";
import { LinearMultiheadAttention } from "../linear-multihead-attention.js";
import type { AnyModule } from "../module.js";
import { type Parameter, StoredTensor } from "../parameter.js";

/**
 * Linear attention with the projections of an attention: `in_proj` is split into `q_proj`, `k_proj` and `v_proj`,
 * `out_proj` stays. For {@link replaceModules}. What the weights mean changes, as there is no softmax: train it further.
 * Dropout of attention weights falls away with the weights. See {@link LinearMultiheadAttention} for what it refuses.
 * @returns a new module; the old one stays as it is.
 * @throws InputError for another module, one with adapters or quantized weights, or one that adds keys.
 * @example
 * replaceModules(model, (module) => module instanceof MultiheadAttention, toLinearAttention);
 */
export function toLinearAttention(attention: MultiheadAttention): LinearMultiheadAttention {
  assertKind("toLinearAttention", attention, MultiheadAttention);
  if (attention.biasKey !== undefined || attention.addZeroAttention)
    throw new InputError(
      "toLinearAttention: expected an attention without keys of its own, got one with addBiasKeyValue or addZeroAttention; let the predicate leave it out",
    );
  const { embedDim, numHeads, keyDim, valueDim, outProjection } = attention;
  const bias = attention.inProjectionBias !== undefined;
  const made = new LinearMultiheadAttention(embedDim, numHeads, { bias, keyDim, valueDim });
  attention.parameters(); // draws what has no values yet
  const projections = [made.queryProjection, made.keyProjection, made.valueProjection];
  const packed = attention.inProjectionWeight;
  const apart = [
    attention.queryProjectionWeight,
    attention.keyProjectionWeight,
    attention.valueProjectionWeight,
  ];
  projections.forEach((projection, index) => {
    give(projection.weight, packed ?? apart[index]!, (weight) =>
      packed === undefined ? weight : split(weight, 3)[index],
    );
    if (projection.bias !== undefined)
      give(projection.bias, attention.inProjectionBias!, (biases) => split(biases, 3)[index]);
  });
  give(made.outProjection.weight, outProjection.weight);
  if (made.outProjection.bias !== undefined) give(made.outProjection.bias, outProjection.bias!);
  return made;
}

/**
 * The depthwise-separable convolution that is nearest to a convolution: the kernels of each input channel to all outputs
 * become their best approximation of rank 1, `W[cell, in, out] ≈ D[cell, in] · P[in, out]` with the least sum of squares
 * (the first singular vectors); the bias stays. For {@link replaceModules}.
 * @returns a new module; the convolution itself where nothing is to be won, with a kernel of one cell or a group a channel.
 * @throws InputError for another module, or one with adapters or quantized weights.
 * @see Jaderberg, Vedaldi, Zisserman (2014), "Speeding up convolutional neural networks with low rank expansions", https://arxiv.org/abs/1405.3866
 * @example
 * replaceModules(model, (module) => module instanceof Conv2d, toDepthwiseSeparable);
 */
export function toDepthwiseSeparable(convolution: Conv2d): Conv2d | DepthwiseSeparableConv2d {
  assertKind("toDepthwiseSeparable", convolution, Conv2d);
  const { inChannels, outChannels, kernelSize, groups, bias, padding } = convolution;
  const cells = kernelSize[0] * kernelSize[1];
  if (cells === 1 || groups === inChannels) return convolution;
  const isEven = padding.every(([before, after]) => before === after);
  const made = new DepthwiseSeparableConv2d(inChannels, outChannels, kernelSize, {
    stride: convolution.stride,
    // sides differ with "same" alone
    padding: isEven ? padding.map(([before]) => before) : "same",
    paddingMode: convolution.paddingMode,
    dilation: convolution.dilation,
    groups,
    bias: bias !== undefined,
  });
  convolution.parameters(); // draws what has no values yet
  const [perGroup, outputs] = [inChannels / groups, outChannels / groups];
  const factors = (weight: Tensor): [left: Tensor, right: Tensor] => {
    const parts = reshape(weight, [cells, perGroup, groups, outputs]);
    return rankOneFactors(reshape(transpose(parts, [2, 1, 0, 3]), [inChannels, cells, outputs]));
  };
  give(made.depthwise.weight, convolution.weight, (weight) =>
    reshape(transpose(factors(weight)[0]), [...kernelSize, 1, inChannels]),
  );
  give(made.pointwise.weight, convolution.weight, (weight) => {
    const mixed = transpose(reshape(factors(weight)[1], [groups, perGroup, outputs]), [1, 0, 2]); // [perGroup, groups, outputs]
    return reshape(mixed, [1, 1, perGroup, outChannels]);
  });
  if (made.pointwise.bias !== undefined) give(made.pointwise.bias, bias!);
  return made;
}

/** Squarings of a matrix: the power 2¹⁶ leaves the largest eigenvalue alone, or such that are as large within rounding. */
const SQUARINGS = 16;

/**
 * The product of two vectors that is nearest to each matrix, with the same length for both.
 * @param matrices `[count, rows, columns]`
 * @returns `[count, rows]` and `[count, columns]`
 */
function rankOneFactors(matrices: Tensor): [left: Tensor, right: Tensor] {
  const [count, rows, columns]: readonly number[] = matrices.shape;
  const gram = matMul(matrices, matrices, { transposeB: true }); // [count, rows, rows]
  const trace = { axes: [1, 2], keepDims: true };
  const identity = reshape(
    oneHot(
      tensor(
        Int32Array.from({ length: rows }, (_, row) => row),
        [rows],
      ),
      rows,
    ),
    [1, rows, rows],
  );
  let power = gram;
  for (let step = 0; step < SQUARINGS; step++) {
    const scaled = div(power, orOne(sum(mul(power, identity), trace)));
    power = matMul(scaled, scaled);
  }
  // all columns point where the first singular vector does; the one with the largest diagonal is the longest
  const longest = argMax(sum(mul(power, identity), { axes: 2 }), { axis: 1 }); // [count]
  const column = matMul(power, reshape(oneHot(longest, rows), [count, rows, 1])); // [count, rows, 1]
  const left = div(column, orOne(norm(column, { axes: 1, keepDims: true })));
  const right = matMul(left, matrices, { transposeA: true }); // [count, 1, columns]
  const half = sqrt(norm(right, { axes: 2, keepDims: true })); // [count, 1, 1]
  return [reshape(mul(left, half), [count, rows]), reshape(div(right, orOne(half)), [count, columns])];
}

/** 1 in place of 0, to divide by. */
function orOne(x: Tensor): Tensor {
  return where(equal(x, 0), 1, x);
}

/** Sets a parameter to what is made of another. */
function give(
  target: Parameter,
  source: Parameter,
  make: (value: Tensor) => Tensor = (value) => value,
): void {
  // a sum is a tensor of its own, where a part may share its numbers
  target.setValue(noGrad(() => tidy(() => add(make(source.value), 0))));
  target.requiresGrad = source.requiresGrad;
}

function assertKind(
  operation: string,
  module: unknown,
  kind: abstract new (...sizes: never[]) => unknown,
): asserts module is AnyModule {
  if (!(module instanceof kind))
    throw new InputError(
      `${operation}: expected a ${kind.name}, got ${(module as object | null)?.constructor?.name ?? typeof module}; let the predicate pick others`,
    );
  const parts = (module as AnyModule).namedModules();
  if (parts.some(([, part]) => "lora" in part))
    throw new InputError(
      `${operation}: expected a layer without adapters, got a ${kind.name} with some; merge and remove them first`,
    );
  // what is made of a constant weight would be as constant, in float32
  if (parts.some(([, part]) => Object.values(part).some(isOfFewBits)))
    throw new InputError(
      `${operation}: expected float32 weights, got a ${kind.name} with quantized ones; exchange layers before quantizeModel`,
    );
}

function isOfFewBits(value: unknown): boolean {
  return value instanceof StoredTensor && value.storedParts !== undefined;
}
