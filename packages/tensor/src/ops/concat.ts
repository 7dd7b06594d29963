import type { Tensor } from "@tensorflow/tfjs-core";
import { assertList, assertOptions } from "../arguments.js";
import { splitNothingOnHost } from "../backends/host/split.js";
import { splitWasm } from "../backends/wasm/ops/layout.js";
import { concatWebgpu, splitWebgpu } from "../backends/webgpu/kernels/strided.js";
import { type DType, promote } from "../dtype.js";
import { InputError, ShapeError } from "../errors.js";
import { concatGradient, splitGradient } from "../gradients/concat.js";
import { defineKernel } from "../kernels/define-kernel.js";
import { tidy } from "../memory.js";
import { formatShape, normalizeAxis, sameShape } from "../shape.js";
import { alias, assertTensor, toDType, type UnaryInputs } from "./broadcast.js";
import { expandDims, reshape } from "./shape-ops.js";

const concatKernel = /* @__PURE__ */ defineKernel<Record<string, Tensor>, { axis: number }>({
  name: "Concat",
  implementations: { webgpu: (call) => concatWebgpu(call) },
  stock: { kernel: "Concat", inputs: (inputs) => Object.values(inputs) },
  gradient: concatGradient,
});

const splitKernel = /* @__PURE__ */ defineKernel<UnaryInputs, { sizes: number[]; axis: number }>({
  name: "Split",
  implementations: {
    cpu: splitNothingOnHost,
    wasm: (call) => splitWasm(call) ?? splitNothingOnHost(call),
    webgpu: (call) => splitWebgpu(call),
  },
  stock: { kernel: "SplitV", attrs: ({ sizes, axis }) => ({ numOrSizeSplits: sizes, axis }) },
  gradient: splitGradient,
});

/** Which axis is joined or taken apart. */
export interface AxisOptions {
  /** Default 0; negative ones count from the end. */
  readonly axis?: number;
}

/**
 * Joins tensors along an axis that they have. Their dtypes are promoted.
 * @param tensors at least one, `[..., length_i, ...]`, alike but for `axis`
 * @returns `[..., Σ length_i, ...]`
 * @throws InputError for no tensors, or an axis out of range. @throws ShapeError when other axes differ.
 * @example
 * const ab = concat([a, b], { axis: -1 }); // [2, 3] and [2, 5] → [2, 8]
 */
export function concat(tensors: readonly Tensor[], options: AxisOptions = {}): Tensor {
  assertOptions("concat", options, ["axis"]);
  const { axis = 0 } = options;
  if (!(tensors?.length > 0))
    throw new InputError("concat: expected an array of at least one tensor, got none");
  for (const tensor of tensors) assertTensor("concat", tensor);
  const [first] = tensors;
  const along = normalizeAxis("concat", axis, first.shape.length);
  for (const { shape } of tensors)
    if (
      shape.length !== first.shape.length ||
      shape.some((length, index) => index !== along && length !== first.shape[index])
    )
      throw new ShapeError(
        `concat: expected shapes that differ only in axis ${along}, got ${formatShape(first.shape)} and ${formatShape(shape)}`,
      );
  if (tensors.length === 1) return alias(first);
  return tidy(() => {
    const dtype = tensors.reduce<DType>(
      (type, tensor) => promote("concat", type, tensor.dtype),
      first.dtype as DType,
    );
    const inputs: Record<string, Tensor> = {};
    tensors.forEach((tensor, index) => {
      inputs[index] = toDType(tensor, dtype);
    });
    return concatKernel(inputs, { axis: along });
  });
}

/**
 * Joins tensors of one shape along a new axis.
 * @param tensors at least one, `[...]` each @returns `[..., tensors.length, ...]`
 * @throws InputError for no tensors, or an axis out of range. @throws ShapeError when the shapes differ.
 */
export function stack(tensors: readonly Tensor[], options: AxisOptions = {}): Tensor {
  assertOptions("stack", options, ["axis"]);
  const { axis = 0 } = options;
  if (!(tensors?.length > 0))
    throw new InputError("stack: expected an array of at least one tensor, got none");
  for (const tensor of tensors) assertTensor("stack", tensor);
  const [first] = tensors;
  const along = normalizeAxis("stack", axis, first.shape.length + 1);
  for (const { shape } of tensors)
    if (!sameShape(shape, first.shape))
      throw new ShapeError(
        `stack: expected tensors of one shape, got ${formatShape(first.shape)} and ${formatShape(shape)}`,
      );
  return tidy(() =>
    concat(
      tensors.map((tensor) => expandDims(tensor, along)),
      { axis: along },
    ),
  );
}

/**
 * Takes a tensor apart along an axis.
 * @param x `[..., length, ...]`
 * @param sizesOrCount the lengths of the parts, or a number of equal parts
 * @returns the parts, `[..., size_i, ...]`
 * @throws ShapeError when the sizes do not add up to the axis, or it does not divide into equal parts.
 * @example
 * const [query, key, value] = split(projected, 3, { axis: -1 });
 */
export function split(
  x: Tensor,
  sizesOrCount: number | readonly number[],
  options: AxisOptions = {},
): Tensor[] {
  assertTensor("split", x);
  assertOptions("split", options, ["axis"]);
  const { axis = 0 } = options;
  if (typeof sizesOrCount !== "number") assertList("split", "sizes, or a count,", sizesOrCount);
  const along = normalizeAxis("split", axis, x.shape.length);
  const length = x.shape[along];
  const sizes = typeof sizesOrCount === "number" ? equalParts(length, sizesOrCount) : [...sizesOrCount];
  if (
    sizes.length === 0 ||
    sizes.some((size) => !Number.isInteger(size) || size < 0) ||
    sizes.reduce((total, size) => total + size, 0) !== length
  )
    throw new ShapeError(
      `split: expected whole sizes that add up to ${length}, got [${sizes.join(", ")}] for axis ${along} of ${formatShape(x.shape)}`,
    );
  return sizes.length === 1 ? [alias(x)] : splitKernel.multiple({ x }, { sizes, axis: along });
}

function equalParts(length: number, count: number): number[] {
  if (!Number.isInteger(count) || count < 1 || length % count !== 0)
    throw new ShapeError(
      `split: expected a count that divides ${length}, got ${count}; pass an array of sizes`,
    );
  return new Array<number>(count).fill(length / count);
}

/**
 * Takes a tensor apart into slices, the axis dropped.
 * @param x `[..., length, ...]` @returns `length` tensors `[...]`
 * @throws InputError for an axis out of range.
 */
export function unstack(x: Tensor, options: AxisOptions = {}): Tensor[] {
  assertOptions("unstack", options, ["axis"]);
  const { axis = 0 } = options;
  assertTensor("unstack", x);
  const along = normalizeAxis("unstack", axis, x.shape.length);
  if (x.shape[along] === 0) return [];
  const shape = x.shape.filter((_, index) => index !== along);
  return tidy(() => split(x, x.shape[along], { axis: along }).map((part) => reshape(part, shape)));
}
