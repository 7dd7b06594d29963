import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../arguments.js";
import { promote } from "../dtype.js";
import { DTypeError, ShapeError } from "../errors.js";
import { linearGradient, matMulGradient } from "../gradients/matmul.js";
import { defineKernel } from "../kernels/define-kernel.js";
import { tidy } from "../memory.js";
import { broadcastShapes, formatShape, type Shape, sameShape, sizeOf } from "../shape.js";
import { add, mul } from "./arithmetic.js";
import { assertTensor, constantKernel, expandTo, toDType } from "./broadcast.js";
import { activate, assertFusedActivation, type FusedActivation } from "./fused-activations.js";
import { linearActivation } from "./linear-activation.js";
import { sum } from "./reduce.js";
import { reshape, transpose } from "./shape-ops.js";

export type MatMulInputs = { a: Tensor; b: Tensor };
export type MatMulAttributes = { transposeA: boolean; transposeB: boolean };
export type LinearInputs = { x: Tensor; weight: Tensor; bias: Tensor | undefined };

/** float32, no empty axis; both of rank 2, or both of one rank with equal batch axes. */
const matMulKernel = /* @__PURE__ */ defineKernel<MatMulInputs, MatMulAttributes>({
  name: "MatMul",
  stock: "BatchMatMul",
  saves: ["a", "b"],
  gradient: matMulGradient,
});

/** `x` is `[rows, inFeatures]`; float32, no empty axis. */
const linearKernel = /* @__PURE__ */ defineKernel<LinearInputs, Record<never, never>>({
  name: "Linear",
  stock: {
    kernel: "_FusedMatMul",
    inputs: ({ x, weight, bias }) =>
      (bias === undefined ? { a: x, b: weight } : { a: x, b: weight, bias }) as Record<string, Tensor>,
    attrs: () => ({ transposeA: false, transposeB: true, activation: null, leakyreluAlpha: 0 }),
  },
  saves: ["x", "weight"],
  gradient: linearGradient,
});

/** Options of {@link matMul}. */
export interface MatMulOptions {
  /** Swap the last two axes of `a`. Default false. */
  readonly transposeA?: boolean;
  /** Swap the last two axes of `b`. Default false. */
  readonly transposeB?: boolean;
}

/**
 * Matrix product with broadcast batch axes, `torch.matmul`. A vector counts as a row on the left and as a
 * column on the right, and its axis is missing in the result. Integers are exact and wrap around.
 * @param a `[..., rows, inner]` (`[..., inner, rows]` with `transposeA`) or `[inner]`
 * @param b `[..., inner, columns]` (`[..., columns, inner]` with `transposeB`) or `[inner]`
 * @returns `[..., rows, columns]`; int32 when both are whole numbers, else float32.
 * @throws ShapeError for a scalar, or when the inner sizes differ or the batch axes do not broadcast.
 * @example
 * const scores = matMul(query, key, { transposeB: true }); // [batch, length, length]
 */
export function matMul(a: Tensor, b: Tensor, options: MatMulOptions = {}): Tensor {
  assertOptions("matMul", options, ["transposeA?", "transposeB?"]);
  const { transposeA = false, transposeB = false } = options;
  assertTensor("matMul", a);
  assertTensor("matMul", b);
  const rankA = a.shape.length;
  const rankB = b.shape.length;
  if (rankA === 0 || rankB === 0)
    throw new ShapeError(
      `matMul: expected matrices or vectors, got ${formatShape(a.shape)} and ${formatShape(b.shape)}; use mul`,
    );
  const innerA = rankA === 1 ? a.shape[0] : a.shape[rankA - (transposeA ? 2 : 1)];
  const innerB = rankB === 1 ? b.shape[0] : b.shape[rankB - (transposeB ? 1 : 2)];
  if (innerA !== innerB)
    throw new ShapeError(
      `matMul: expected equal inner sizes, got ${formatShape(a.shape)}${transposeA ? " transposed" : ""} and ${formatShape(b.shape)}${transposeB ? " transposed" : ""}`,
    );
  if (a.dtype === "float32" && b.dtype === "float32" && a.size > 0 && b.size > 0 && isPlain(a.shape, b.shape))
    return matMulKernel({ a, b }, { transposeA, transposeB });
  broadcastShapes("matMul", a.shape.slice(0, -2), b.shape.slice(0, -2));
  return tidy(() => {
    const dtype = promote("matMul", a.dtype, b.dtype) === "float32" ? "float32" : "int32";
    const left = toDType(rankA === 1 ? reshape(a, [1, innerA]) : a, dtype);
    const right = toDType(rankB === 1 ? reshape(b, [innerB, 1]) : b, dtype);
    const attributes = { transposeA: transposeA && rankA > 1, transposeB: transposeB && rankB > 1 };
    const product = multiply(left, right, attributes);
    if (rankA > 1 && rankB > 1) return product;
    const shape = [...product.shape];
    if (rankB === 1) shape.pop();
    if (rankA === 1) shape.splice(rankB === 1 ? shape.length - 1 : shape.length - 2, 1);
    return reshape(product, shape);
  });
}

/** Whether the kernel takes the shapes as they are: two matrices, or two batches of equal axes and more than one matrix. */
function isPlain(a: Shape, b: Shape): boolean {
  const rank = a.length;
  if (rank !== b.length || rank < 2) return false;
  let count = 1;
  for (let axis = 0; axis < rank - 2; axis++) {
    if (a[axis] !== b[axis]) return false;
    count *= a[axis];
  }
  return rank === 2 || count > 1;
}

/** Matrices of any rank from 2 on and one dtype. */
function multiply(a: Tensor, b: Tensor, attributes: MatMulAttributes): Tensor {
  const { transposeA, transposeB } = attributes;
  const batchA = a.shape.slice(0, -2);
  const batchB = b.shape.slice(0, -2);
  const batch = broadcastShapes("matMul", batchA, batchB);
  const rows = a.shape[a.shape.length - (transposeA ? 1 : 2)];
  const inner = a.shape[a.shape.length - (transposeA ? 2 : 1)];
  const columns = b.shape[b.shape.length - (transposeB ? 2 : 1)];
  const shape = [...batch, rows, columns];
  if (inner === 0 || sizeOf(shape) === 0)
    return constantKernel({ a, b }, { shape, value: 0, dtype: a.dtype as "float32" | "int32" });
  if (a.dtype === "int32") return multiplyIntegers(a, b, attributes);
  if (sizeOf(batchB) === 1 && !transposeA) {
    // one matrix on the right: the batch is more rows
    const folded = reshape(a, [sizeOf(batchA) * rows, inner]); // [batch · rows, inner]
    const matrix = reshape(b, b.shape.slice(-2));
    return reshape(matMulKernel({ a: folded, b: matrix }, attributes), shape);
  }
  if (sameShape(batchA, batchB)) return matMulKernel({ a, b }, attributes);
  return matMulKernel(
    { a: expandTo(a, [...batch, ...a.shape.slice(-2)]), b: expandTo(b, [...batch, ...b.shape.slice(-2)]) },
    attributes,
  );
}

/** Exact products of integers: no device's matrix kernel has them. */
function multiplyIntegers(a: Tensor, b: Tensor, { transposeA, transposeB }: MatMulAttributes): Tensor {
  const left = transposeA ? swapLast(a) : a; // [..., rows, inner]
  const right = transposeB ? b : swapLast(b); // [..., columns, inner]
  const rows = reshape(left, [...left.shape.slice(0, -1), 1, left.shape[left.shape.length - 1]]); // [..., rows, 1, inner]
  const columns = reshape(right, [...right.shape.slice(0, -2), 1, ...right.shape.slice(-2)]); // [..., 1, columns, inner]
  return sum(mul(rows, columns), { axes: -1 });
}

function swapLast(x: Tensor): Tensor {
  const axes = x.shape.map((_, axis) => axis);
  const last = axes.length - 1;
  return transpose(x, [...axes.slice(0, -2), last, last - 1]);
}

/** Options of {@link linear}. */
export interface LinearOptions {
  /**
   * Applied to the result; in one pass with the product on `wasm` when no gradient is recorded. Default: none.
   */
  readonly activation?: FusedActivation;
}

/**
 * A linear layer, `activation(x · weightᵀ + bias)`.
 * @param x `[..., inFeatures]` @param weight `[outFeatures, inFeatures]`, PyTorch's layout @param bias `[outFeatures]`
 * @returns `[..., outFeatures]`
 * @throws ShapeError when the sizes do not fit. @throws DTypeError for integers. @throws InputError for an unknown activation.
 */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor, options: LinearOptions = {}): Tensor {
  assertOptions("linear", options, ["activation"]);
  const { activation } = options;
  assertFusedActivation("linear", activation);
  const multiplyRows = (inputs: LinearInputs) =>
    activation === undefined ? linearKernel(inputs, {}) : linearActivation(inputs, activation);
  for (const tensor of [x, weight, ...(bias === undefined ? [] : [bias])]) {
    assertTensor("linear", tensor);
    if (tensor.dtype !== "float32")
      throw new DTypeError(`linear: expected float32 tensors, got ${tensor.dtype}; cast them first`);
  }
  assertLinearShapes(x.shape, weight.shape, bias?.shape);
  const [outFeatures, inFeatures] = weight.shape;
  if (x.size === 0 || weight.size === 0) {
    if (activation === undefined) return emptyLinear(x, weight, bias);
    return tidy(() => activate(emptyLinear(x, weight, bias), activation));
  }
  if (x.shape.length === 2) return multiplyRows({ x, weight, bias });
  const shape = [...x.shape.slice(0, -1), outFeatures];
  return tidy(() => {
    const rows = reshape(x, [x.size / inFeatures, inFeatures]); // [rows, inFeatures]
    return reshape(multiplyRows({ x: rows, weight, bias }), shape); // [..., outFeatures]
  });
}

/** Without rows or features there is nothing to multiply: the bias alone. */
function emptyLinear(x: Tensor, weight: Tensor, bias: Tensor | undefined): Tensor {
  const shape = [...x.shape.slice(0, -1), weight.shape[0]];
  return tidy(() => {
    const product = constantKernel({ x, weight }, { shape, value: 0, dtype: "float32" });
    return bias === undefined ? product : add(product, bias);
  });
}

function assertLinearShapes(x: Shape, weight: Shape, bias: Shape | undefined): void {
  if (weight.length !== 2)
    throw new ShapeError(`linear: expected a weight [outFeatures, inFeatures], got ${formatShape(weight)}`);
  if (x.length === 0 || x[x.length - 1] !== weight[1])
    throw new ShapeError(
      `linear: expected x with ${weight[1]} features in its last axis, got ${formatShape(x)} for weight ${formatShape(weight)}`,
    );
  if (bias !== undefined && !sameShape(bias, [weight[0]]))
    throw new ShapeError(
      `linear: expected a bias [${weight[0]}], got ${formatShape(bias)} for weight ${formatShape(weight)}`,
    );
}

/**
 * Outer product `aᵢ·bⱼ` of two vectors.
 * @param a `[rows]` @param b `[columns]` @returns `[rows, columns]`, the promoted dtype.
 * @throws ShapeError unless both are vectors.
 */
export function outer(a: Tensor, b: Tensor): Tensor {
  assertTensor("outer", a);
  assertTensor("outer", b);
  if (a.shape.length !== 1 || b.shape.length !== 1)
    throw new ShapeError(
      `outer: expected two vectors, got ${formatShape(a.shape)} and ${formatShape(b.shape)}; flatten them`,
    );
  return tidy(() => mul(reshape(a, [a.size, 1]), b));
}
