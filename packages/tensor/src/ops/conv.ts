import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../arguments.js";
import { DTypeError, InputError, ShapeError } from "../errors.js";
import { tidy } from "../memory.js";
import { formatShape } from "../shape.js";
import { add } from "./arithmetic.js";
import { assertTensor } from "./broadcast.js";
import { convolveAny, convolveFused } from "./conv-fused.js";
import { convolveGroupsInput } from "./conv-grouped.js";
import { type ConvAttributes, convLength, convolveInput, depthwiseInput } from "./conv-kernels.js";
import { activate, assertFusedActivation, type FusedActivation } from "./fused-activations.js";
import { expandDims, reshape, squeeze } from "./shape-ops.js";
import { narrow, pad, place, takeStrided } from "./slice.js";
import { type ConvPadding, convPadding, type PerAxis, perAxis } from "./window.js";

/** Options of {@link conv1d}, {@link conv2d} and {@link conv3d}. */
export interface ConvOptions {
  /** Step of the window. Default 1. */
  readonly stride?: PerAxis;
  /** Zeros around the input. Default 0. `"same"` needs stride 1. */
  readonly padding?: ConvPadding;
  /** Distance between the filter's taps. Default 1. */
  readonly dilation?: PerAxis;
  /** Channels are split into so many groups that do not see each other; `groups = in` is a depthwise convolution. Default 1. */
  readonly groups?: number;
  /** `[out]`, added to the result. */
  readonly bias?: Tensor;
  /** Applied to the result after the bias. On the CPU engine it costs no pass of its own, unless a gradient is recorded. Default: none. */
  readonly activation?: FusedActivation;
}

interface Plan extends ConvAttributes {
  readonly groups: number;
  readonly bias: Tensor | undefined;
  readonly activation?: FusedActivation;
}

/** Checks the arguments of a convolution and expands its options to one entry a spatial axis. */
function plan(operation: string, x: Tensor, filter: Tensor, options: ConvOptions): Plan {
  assertOptions(operation, options, ["stride", "padding", "dilation", "groups", "bias", "activation"]);
  const { stride = 1, padding = 0, dilation = 1, groups = 1, bias, activation } = options;
  assertFusedActivation(operation, activation);
  const axes = x.shape.length - 2;
  const kernel = filter.shape.slice(0, axes);
  const [perGroup, out] = filter.shape.slice(axes);
  checkChannels(operation, x, { in: perGroup * groups, out, groups, bias });
  const strides = perAxis(operation, "stride", stride, axes);
  const dilations = perAxis(operation, "dilation", dilation, axes);
  const pairs = convPadding(operation, padding, kernel, strides, dilations);
  kernel.forEach((length, axis) => {
    if (length < 1 || convLength(x.shape[axis + 1], length, 1, pairs[axis], dilations[axis]) < 1)
      throw new ShapeError(
        `${operation}: expected a filter no longer than the padded input, got ${formatShape(filter.shape)} for ${formatShape(x.shape)}; pad more`,
      );
  });
  return { strides, padding: pairs, dilations, groups, bias, activation };
}

function checkRanks(operation: string, x: Tensor, filter: Tensor, rank: number): void {
  if (x?.shape?.length !== rank || filter?.shape?.length !== rank)
    throw new ShapeError(
      `${operation}: expected x and filter of rank ${rank}, got ${formatShape(x?.shape ?? [])} and ${formatShape(filter?.shape ?? [])}`,
    );
  if (x.dtype !== "float32" || filter.dtype !== "float32")
    throw new DTypeError(`${operation}: expected float32, got ${x.dtype} and ${filter.dtype}; cast first`);
}

function checkChannels(
  operation: string,
  x: Tensor,
  channels: { in: number; out: number; groups: number; bias: Tensor | undefined },
): void {
  const { groups, bias, out } = channels;
  if (!Number.isInteger(groups) || groups < 1)
    throw new InputError(`${operation}: expected groups of at least 1, got ${groups}`);
  const given = x.shape[x.shape.length - 1];
  if (given !== channels.in)
    throw new ShapeError(
      `${operation}: expected ${channels.in} input channels, as the filter has with ${groups} groups, got ${given}`,
    );
  if (channels.in % groups !== 0 || out % groups !== 0)
    throw new ShapeError(
      `${operation}: expected channels that ${groups} groups divide, got ${channels.in} in and ${out} out`,
    );
  if (bias !== undefined) assertTensor(operation, bias);
  if (bias !== undefined && (bias.shape.length !== 1 || bias.shape[0] !== out))
    throw new ShapeError(`${operation}: expected a bias [${out}], got ${formatShape(bias.shape)}`);
}

/** A checked convolution of x `[batch, height, width, in]` by `[kernelHeight, kernelWidth, in/groups, out]`. */
function run2d(x: Tensor, filter: Tensor, { bias, activation, ...attributes }: Plan): Tensor {
  return bias === undefined && activation === undefined
    ? convolveAny(x, filter, attributes)
    : convolveFused({ x, filter, bias }, { ...attributes, activation });
}

function withBias(y: Tensor, bias: Tensor | undefined): Tensor {
  return bias === undefined ? y : add(y, bias);
}

/** `[batch, length, channels]` → `[batch, 1, length, channels]`. */
const asRow = (x: Tensor): Tensor => expandDims(x, 1);
/** `[kernel, a, b]` → `[1, kernel, a, b]`. */
const asRowFilter = (filter: Tensor): Tensor => expandDims(filter, 0);
/** `[batch, 1, length, channels]` → `[batch, length, channels]`. */
const fromRow = (y: Tensor): Tensor => squeeze(y, { axes: 1 });

function asRowPlan(line: Plan): Plan {
  return {
    ...line,
    strides: [1, ...line.strides],
    padding: [[0, 0], ...line.padding],
    dilations: [1, ...line.dilations],
  };
}

/**
 * 1-D convolution (cross-correlation): `y[n, t, o] = bias[o] + Σ_{k, i} x[n, t·stride + k·dilation − padding, i] · filter[k, i, o]`.
 * @param x `[batch, length, in]`
 * @param filter `[kernel, in/groups, out]`
 * @returns `[batch, outLength, out]` with `outLength = ⌊(length + paddings − dilation·(kernel − 1) − 1) / stride⌋ + 1`.
 * @throws ShapeError when channels or sizes do not fit. @throws InputError for an option out of range.
 */
export function conv1d(x: Tensor, filter: Tensor, options: ConvOptions = {}): Tensor {
  checkRanks("conv1d", x, filter, 3);
  const line = plan("conv1d", x, filter, options);
  return tidy(() => fromRow(run2d(asRow(x), asRowFilter(filter), asRowPlan(line))));
}

/**
 * 2-D convolution (cross-correlation), PyTorch's `conv2d` on channels-last images.
 * @param x `[batch, height, width, in]`
 * @param filter `[kernelHeight, kernelWidth, in/groups, out]`
 * @returns `[batch, outHeight, outWidth, out]` with `outHeight = ⌊(height + paddings − dilation·(kernelHeight − 1) − 1) / stride⌋ + 1`.
 * @throws ShapeError when channels or sizes do not fit. @throws InputError for an option out of range.
 * @example
 * const y = conv2d(images, filter, { padding: 1, stride: 2, bias });
 */
export function conv2d(x: Tensor, filter: Tensor, options: ConvOptions = {}): Tensor {
  checkRanks("conv2d", x, filter, 4);
  const layout = plan("conv2d", x, filter, options);
  return tidy(() => run2d(x, filter, layout));
}

/**
 * 3-D convolution (cross-correlation), PyTorch's `conv3d` on channels-last volumes.
 * @param x `[batch, depth, height, width, in]`
 * @param filter `[kernelDepth, kernelHeight, kernelWidth, in/groups, out]`
 * @returns `[batch, outDepth, outHeight, outWidth, out]`, sizes as in {@link conv2d}.
 * @throws ShapeError when channels or sizes do not fit. @throws InputError for an option out of range.
 */
export function conv3d(x: Tensor, filter: Tensor, options: ConvOptions = {}): Tensor {
  checkRanks("conv3d", x, filter, 5);
  const layout = plan("conv3d", x, filter, options);
  const { strides, padding, dilations } = layout;
  const slices: Plan = {
    groups: layout.groups,
    bias: undefined,
    strides: strides.slice(1),
    padding: padding.slice(1),
    dilations: dilations.slice(1),
  };
  return tidy(() => {
    const padded = padding[0].some((cells) => cells > 0)
      ? pad(x, [[0, 0], padding[0], [0, 0], [0, 0], [0, 0]])
      : x;
    const [batch, depth, height, width, channels] = padded.shape;
    const [kernelDepth, ...rest] = filter.shape;
    const outDepth = convLength(depth, kernelDepth, strides[0], [0, 0], dilations[0]);
    let sum: Tensor | undefined;
    for (let tap = 0; tap < kernelDepth; tap++) {
      // a tap in depth is a 2-D convolution of the slices that it meets
      const met = takeStrided(padded, {
        begin: [0, tap * dilations[0], 0, 0, 0],
        strides: [1, strides[0], 1, 1, 1],
        size: [batch, outDepth, height, width, channels],
      });
      const images = reshape(met, [batch * outDepth, height, width, channels]);
      const part = run2d(images, reshape(narrow(filter, { axis: 0, start: tap, length: 1 }), rest), slices);
      sum = sum === undefined ? part : add(sum, part);
    }
    const [, outHeight, outWidth, out] = sum!.shape;
    const y = withBias(reshape(sum!, [batch, outDepth, outHeight, outWidth, out]), layout.bias);
    return layout.activation === undefined ? y : activate(y, layout.activation);
  });
}

/** Options of {@link convTranspose1d}, {@link convTranspose2d} and {@link convTranspose3d}. */
export interface ConvTransposeOptions {
  /** Step of the convolution that this one transposes: the factor of enlargement. Default 1. */
  readonly stride?: PerAxis;
  /** Cells to cut off the result: the padding of the convolution that this one transposes. Default 0. */
  readonly padding?: Exclude<ConvPadding, "same">;
  /** Cells to add at the end of the result, less than stride or dilation. Default 0. */
  readonly outputPadding?: PerAxis;
  /** Distance between the filter's taps. Default 1. */
  readonly dilation?: PerAxis;
  /** As in {@link ConvOptions}. Default 1. */
  readonly groups?: number;
  /** `[out]`, added to the result. */
  readonly bias?: Tensor;
}

interface TransposePlan extends Plan {
  /** Spatial sizes of the result. */
  readonly size: number[];
}

function planTranspose(
  operation: string,
  x: Tensor,
  filter: Tensor,
  options: ConvTransposeOptions,
): TransposePlan {
  assertOptions(operation, options, ["stride", "padding", "outputPadding", "dilation", "groups", "bias"]);
  const { stride = 1, padding = 0, outputPadding = 0, dilation = 1, groups = 1, bias } = options;
  const axes = x.shape.length - 2;
  const kernel = filter.shape.slice(0, axes);
  const [perGroup, channels] = filter.shape.slice(axes);
  checkChannels(operation, x, { in: channels, out: perGroup * groups, groups, bias });
  const strides = perAxis(operation, "stride", stride, axes);
  const dilations = perAxis(operation, "dilation", dilation, axes);
  const extra = perAxis(operation, "outputPadding", outputPadding, axes, 0);
  if ((padding as ConvPadding) === "same")
    throw new InputError(`${operation}: expected padding in numbers, got "same"`);
  const pairs = convPadding(operation, padding, kernel, strides, dilations);
  extra.forEach((cells, axis) => {
    if (cells >= Math.max(strides[axis], dilations[axis]))
      throw new InputError(
        `${operation}: expected outputPadding below stride or dilation, got ${cells} on axis ${axis}`,
      );
  });
  // cells added at the end are cells of the padding there that are not cut off
  const trimmed = pairs.map(([before, after], axis): [number, number] => [before, after - extra[axis]]);
  const size = kernel.map(
    (length, axis) =>
      (x.shape[axis + 1] - 1) * strides[axis] +
      dilations[axis] * (length - 1) +
      1 -
      trimmed[axis][0] -
      trimmed[axis][1],
  );
  if (size.some((length) => length < 1))
    throw new ShapeError(`${operation}: expected a result with cells, got ${formatShape(size)}; pad less`);
  return { strides, padding: trimmed, dilations, groups, bias, size };
}

/** A checked transposed convolution of `[batch, height, width, in]` by `[kernelHeight, kernelWidth, out/groups, in]`. */
function runTranspose2d(
  x: Tensor,
  filter: Tensor,
  { strides, padding, dilations, groups, size }: TransposePlan,
): Tensor {
  const [batch, , , channels] = x.shape;
  const [height, width, perGroup] = filter.shape;
  // beyond the last tap there is nothing: such cells are zeros, added afterwards
  const beyond = padding.map(([, after]) => Math.max(0, -after));
  const attributes = {
    strides,
    padding: padding.map(([before, after]): [number, number] => [before, Math.max(0, after)]),
    dilations,
  };
  const reached = size.map((length, axis) => length - beyond[axis]);
  const shape = (out: number): number[] => [batch, reached[0], reached[1], out];
  let y: Tensor;
  if (groups === 1) y = convolveInput(x, filter, { ...attributes, inputShape: shape(perGroup) });
  else if (perGroup === 1 && groups === channels)
    y = depthwiseInput(x, reshape(filter, [height, width, channels, 1]), {
      ...attributes,
      inputShape: shape(channels),
    });
  else y = convolveGroupsInput(x, filter, { ...attributes, groups, inputShape: shape(perGroup * groups) });
  return beyond.every((cells) => cells === 0)
    ? y
    : pad(y, [
        [0, 0],
        [0, beyond[0]],
        [0, beyond[1]],
        [0, 0],
      ]);
}

function asRowTranspose(line: TransposePlan): TransposePlan {
  return { ...asRowPlan(line), size: [1, ...line.size] };
}

/**
 * 1-D transposed convolution, the gradient of {@link conv1d} in x (PyTorch's `conv_transpose1d`).
 * @param x `[batch, length, in]`
 * @param filter `[kernel, out/groups, in]`
 * @returns `[batch, outLength, out]` with `outLength = (length − 1)·stride − paddings + dilation·(kernel − 1) + outputPadding + 1`.
 * @throws ShapeError when channels or sizes do not fit. @throws InputError for an option out of range.
 */
export function convTranspose1d(x: Tensor, filter: Tensor, options: ConvTransposeOptions = {}): Tensor {
  checkRanks("convTranspose1d", x, filter, 3);
  const line = planTranspose("convTranspose1d", x, filter, options);
  return tidy(() =>
    withBias(fromRow(runTranspose2d(asRow(x), asRowFilter(filter), asRowTranspose(line))), line.bias),
  );
}

/**
 * 2-D transposed convolution, the gradient of {@link conv2d} in x (PyTorch's `conv_transpose2d`).
 * @param x `[batch, height, width, in]`
 * @param filter `[kernelHeight, kernelWidth, out/groups, in]`
 * @returns `[batch, outHeight, outWidth, out]`, sizes as in {@link convTranspose1d}.
 * @throws ShapeError when channels or sizes do not fit. @throws InputError for an option out of range.
 */
export function convTranspose2d(x: Tensor, filter: Tensor, options: ConvTransposeOptions = {}): Tensor {
  checkRanks("convTranspose2d", x, filter, 4);
  const layout = planTranspose("convTranspose2d", x, filter, options);
  return tidy(() => withBias(runTranspose2d(x, filter, layout), layout.bias));
}

/**
 * 3-D transposed convolution, the gradient of {@link conv3d} in x (PyTorch's `conv_transpose3d`).
 * @param x `[batch, depth, height, width, in]`
 * @param filter `[kernelDepth, kernelHeight, kernelWidth, out/groups, in]`
 * @returns `[batch, outDepth, outHeight, outWidth, out]`, sizes as in {@link convTranspose1d}.
 * @throws ShapeError when channels or sizes do not fit. @throws InputError for an option out of range.
 */
export function convTranspose3d(x: Tensor, filter: Tensor, options: ConvTransposeOptions = {}): Tensor {
  checkRanks("convTranspose3d", x, filter, 5);
  const layout = planTranspose("convTranspose3d", x, filter, options);
  const { strides, padding, dilations, size } = layout;
  const slices: TransposePlan = {
    ...layout,
    strides: strides.slice(1),
    padding: padding.slice(1),
    dilations: dilations.slice(1),
    size: size.slice(1),
  };
  return tidy(() => {
    const [batch, depth, height, width, channels] = x.shape;
    const [kernelDepth, ...rest] = filter.shape;
    const images = reshape(x, [batch * depth, height, width, channels]);
    const whole =
      (depth - 1) * strides[0] + dilations[0] * (kernelDepth - 1) + 1 + Math.max(0, -padding[0][1]);
    let sum: Tensor | undefined;
    for (let tap = 0; tap < kernelDepth; tap++) {
      const part = runTranspose2d(
        images,
        reshape(narrow(filter, { axis: 0, start: tap, length: 1 }), rest),
        slices,
      );
      const volume = reshape(part, [batch, depth, ...part.shape.slice(1)]);
      const spread = place(volume, {
        shape: [batch, whole, ...volume.shape.slice(2)],
        begin: [0, tap * dilations[0], 0, 0, 0],
        strides: [1, strides[0], 1, 1, 1],
        value: 0,
      });
      sum = sum === undefined ? spread : add(sum, spread);
    }
    const y = narrow(sum!, { axis: 1, start: padding[0][0], length: size[0] });
    return withBias(y, layout.bias);
  });
}
