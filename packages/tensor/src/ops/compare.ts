import type { Tensor } from "@tensorflow/tfjs-core";
import { binaryOnHost, unaryOnHost, whereOnHost } from "../backends/host/elementwise.js";
import { whereWasm } from "../backends/wasm/ops/elementwise.js";
import { elementwiseWebgpu, whereWebgpu } from "../backends/webgpu/kernels/elementwise.js";
import { promote } from "../dtype.js";
import { whereGradient } from "../gradients/compare.js";
import { defineKernel, type Kernel } from "../kernels/define-kernel.js";
import { tidy } from "../memory.js";
import { broadcastShapes } from "../shape.js";
import type { TensorLike } from "../tensor.js";
import {
  assertTensor,
  type BinaryInputs,
  binary,
  expandTo,
  NO_ATTRIBUTES,
  type NoAttributes,
  toDType,
  toTensor,
  type UnaryInputs,
} from "./broadcast.js";

const equalKernel = /* @__PURE__ */ defineKernel<BinaryInputs, NoAttributes>({
  name: "Equal",
  stock: "Equal",
  implementations: {
    cpu: (call) => binaryOnHost(call, (a, b) => (a === b ? 1 : 0), "bool"),
    webgpu: (call) => elementwiseWebgpu(call, "Equal"),
  },
});

const notEqualKernel = /* @__PURE__ */ defineKernel<BinaryInputs, NoAttributes>({
  name: "NotEqual",
  stock: "NotEqual",
  implementations: {
    cpu: (call) => binaryOnHost(call, (a, b) => (a !== b ? 1 : 0), "bool"),
    webgpu: (call) => elementwiseWebgpu(call, "NotEqual"),
  },
});

const lessKernel = /* @__PURE__ */ defineKernel<BinaryInputs, NoAttributes>({
  name: "Less",
  stock: "Less",
  implementations: {
    cpu: (call) => binaryOnHost(call, (a, b) => (a < b ? 1 : 0), "bool"),
    webgpu: (call) => elementwiseWebgpu(call, "Less"),
  },
});

const lessEqualKernel = /* @__PURE__ */ defineKernel<BinaryInputs, NoAttributes>({
  name: "LessEqual",
  stock: "LessEqual",
  implementations: {
    cpu: (call) => binaryOnHost(call, (a, b) => (a <= b ? 1 : 0), "bool"),
    webgpu: (call) => elementwiseWebgpu(call, "LessEqual"),
  },
});

const greaterKernel = /* @__PURE__ */ defineKernel<BinaryInputs, NoAttributes>({
  name: "Greater",
  stock: "Greater",
  implementations: {
    cpu: (call) => binaryOnHost(call, (a, b) => (a > b ? 1 : 0), "bool"),
    webgpu: (call) => elementwiseWebgpu(call, "Greater"),
  },
});

const greaterEqualKernel = /* @__PURE__ */ defineKernel<BinaryInputs, NoAttributes>({
  name: "GreaterEqual",
  stock: "GreaterEqual",
  implementations: {
    cpu: (call) => binaryOnHost(call, (a, b) => (a >= b ? 1 : 0), "bool"),
    webgpu: (call) => elementwiseWebgpu(call, "GreaterEqual"),
  },
});

const logicalAndKernel = /* @__PURE__ */ defineKernel<BinaryInputs, NoAttributes>({
  name: "LogicalAnd",
  stock: "LogicalAnd",
  implementations: {
    cpu: (call) => binaryOnHost(call, (a, b) => a & b),
    webgpu: (call) => elementwiseWebgpu(call, "LogicalAnd"),
  },
});

const logicalOrKernel = /* @__PURE__ */ defineKernel<BinaryInputs, NoAttributes>({
  name: "LogicalOr",
  stock: "LogicalOr",
  implementations: {
    cpu: (call) => binaryOnHost(call, (a, b) => a | b),
    webgpu: (call) => elementwiseWebgpu(call, "LogicalOr"),
  },
});

const logicalNotKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "LogicalNot",
  stock: "LogicalNot",
  implementations: {
    cpu: (call) => unaryOnHost(call, (x) => 1 - x),
    webgpu: (call) => elementwiseWebgpu(call, "LogicalNot"),
  },
});

/** tfjs's choice between tensors of one shape. */
const selectKernel = /* @__PURE__ */ defineKernel<{ condition: Tensor; a: Tensor; b: Tensor }, NoAttributes>({
  name: "Select",
  stock: { kernel: "Select", inputs: ({ condition, a, b }) => ({ condition, t: a, e: b }) },
});

const whereKernel = /* @__PURE__ */ defineKernel<{ condition: Tensor; a: Tensor; b: Tensor }, NoAttributes>({
  name: "Where",
  reference: ({ condition, a, b }) => {
    const shape = broadcastShapes("where", condition.shape, broadcastShapes("where", a.shape, b.shape));
    return selectKernel(
      { condition: expandTo(condition, shape), a: expandTo(a, shape), b: expandTo(b, shape) },
      NO_ATTRIBUTES,
    );
  },
  implementations: {
    cpu: (call) => whereOnHost(call),
    wasm: (call) => whereWasm(call) ?? whereOnHost(call),
    webgpu: (call) => whereWebgpu(call),
  },
  saves: ["condition"],
  gradient: whereGradient,
});

function compare(
  operation: string,
  kernel: Kernel<BinaryInputs, NoAttributes>,
  a: TensorLike,
  b: TensorLike,
): Tensor {
  return binary(operation, kernel, a, b, "promoted");
}

function logical(
  operation: string,
  kernel: Kernel<BinaryInputs, NoAttributes>,
  a: TensorLike,
  b: TensorLike,
): Tensor {
  return tidy(() => binary(operation, kernel, truth(operation, a), truth(operation, b), "promoted"));
}

/** Everything but 0 is true, NaN included. */
function truth(operation: string, value: TensorLike): Tensor {
  return toDType(toTensor(operation, value), "bool");
}

/**
 * Whether `a = b`, element by element; NaN equals nothing. Comparisons are constants to every gradient.
 * @param a `[...]` @param b `[...]` that broadcasts with `a`
 * @returns the broadcast shape, bool.
 * @throws ShapeError when the shapes do not broadcast.
 */
export function equal(a: TensorLike, b: TensorLike): Tensor {
  return compare("equal", equalKernel, a, b);
}

/**
 * Whether `a ≠ b`, element by element; NaN differs from everything.
 * @param a `[...]` @param b `[...]` that broadcasts with `a`
 * @returns the broadcast shape, bool.
 * @throws ShapeError when the shapes do not broadcast.
 */
export function notEqual(a: TensorLike, b: TensorLike): Tensor {
  return compare("notEqual", notEqualKernel, a, b);
}

/**
 * Whether `a < b`, element by element; false beside NaN.
 * @param a `[...]` @param b `[...]` that broadcasts with `a`
 * @returns the broadcast shape, bool.
 * @throws ShapeError when the shapes do not broadcast.
 */
export function less(a: TensorLike, b: TensorLike): Tensor {
  return compare("less", lessKernel, a, b);
}

/**
 * Whether `a ≤ b`, element by element; false beside NaN.
 * @param a `[...]` @param b `[...]` that broadcasts with `a`
 * @returns the broadcast shape, bool.
 * @throws ShapeError when the shapes do not broadcast.
 */
export function lessEqual(a: TensorLike, b: TensorLike): Tensor {
  return compare("lessEqual", lessEqualKernel, a, b);
}

/**
 * Whether `a > b`, element by element; false beside NaN.
 * @param a `[...]` @param b `[...]` that broadcasts with `a`
 * @returns the broadcast shape, bool.
 * @throws ShapeError when the shapes do not broadcast.
 */
export function greater(a: TensorLike, b: TensorLike): Tensor {
  return compare("greater", greaterKernel, a, b);
}

/**
 * Whether `a ≥ b`, element by element; false beside NaN.
 * @param a `[...]` @param b `[...]` that broadcasts with `a`
 * @returns the broadcast shape, bool.
 * @throws ShapeError when the shapes do not broadcast.
 */
export function greaterEqual(a: TensorLike, b: TensorLike): Tensor {
  return compare("greaterEqual", greaterEqualKernel, a, b);
}

/**
 * Whether both are true; numbers are true unless 0.
 * @param a `[...]` of any dtype @param b `[...]` that broadcasts with `a`
 * @returns the broadcast shape, bool.
 * @throws ShapeError when the shapes do not broadcast.
 */
export function logicalAnd(a: TensorLike, b: TensorLike): Tensor {
  return logical("logicalAnd", logicalAndKernel, a, b);
}

/**
 * Whether one of the two is true; numbers are true unless 0.
 * @param a `[...]` of any dtype @param b `[...]` that broadcasts with `a`
 * @returns the broadcast shape, bool.
 * @throws ShapeError when the shapes do not broadcast.
 */
export function logicalOr(a: TensorLike, b: TensorLike): Tensor {
  return logical("logicalOr", logicalOrKernel, a, b);
}

/**
 * Whether exactly one of the two is true; numbers are true unless 0.
 * @param a `[...]` of any dtype @param b `[...]` that broadcasts with `a`
 * @returns the broadcast shape, bool.
 * @throws ShapeError when the shapes do not broadcast.
 */
export function logicalXor(a: TensorLike, b: TensorLike): Tensor {
  return logical("logicalXor", notEqualKernel, a, b);
}

/**
 * Whether `x` is false; numbers are true unless 0.
 * @param x `[...]` of any dtype @returns `[...]`, bool.
 */
export function logicalNot(x: Tensor): Tensor {
  assertTensor("logicalNot", x);
  return tidy(() => logicalNotKernel({ x: toDType(x, "bool") }, NO_ATTRIBUTES));
}

/**
 * `condition ? a : b`, element by element, with broadcasting of all three. The gradient goes to the chosen side only:
 * a NaN in the other one does not spread.
 * @param condition `[...]`, bool; other dtypes are true unless 0.
 * @param a `[...]` @param b `[...]` that broadcast with `condition`
 * @returns the broadcast shape; the promoted dtype of `a` and `b`.
 * @throws ShapeError when the shapes do not broadcast.
 * @example
 * const positive = where(greater(x, 0), x, 0);
 */
export function where(condition: Tensor, a: TensorLike, b: TensorLike): Tensor {
  assertTensor("where", condition);
  return tidy(() => {
    const first = toTensor("where", a, b);
    const second = toTensor("where", b, a);
    broadcastShapes("where", condition.shape, broadcastShapes("where", first.shape, second.shape));
    const dtype = promote("where", first.dtype, second.dtype);
    return whereKernel(
      { condition: toDType(condition, "bool"), a: toDType(first, dtype), b: toDType(second, dtype) },
      NO_ATTRIBUTES,
    );
  });
}
