import type { Tensor } from "@tensorflow/tfjs-core";
import { binaryOnHost } from "../backends/host/elementwise.js";
import {
  floorDivideFloat,
  floorDivideInt,
  powFloat,
  powInt,
  remainderFloat,
  remainderInt,
} from "../backends/host/functions.js";
import { arithmeticWasm } from "../backends/wasm/ops/elementwise.js";
import { elementwiseWebgpu } from "../backends/webgpu/kernels/elementwise.js";
import { DTypeError } from "../errors.js";
import {
  addGradient,
  atan2Gradient,
  divGradient,
  extremumGradient,
  floorDivideGradient,
  mulGradient,
  powGradient,
  remainderGradient,
  squaredDifferenceGradient,
  subGradient,
} from "../gradients/arithmetic.js";
import { defineKernel, type KernelCall } from "../kernels/define-kernel.js";
import { tidy } from "../memory.js";
import type { TensorLike } from "../tensor.js";
import { areBool, type BinaryInputs, binary, type NoAttributes } from "./broadcast.js";
import { logicalAnd, logicalOr } from "./compare.js";

const addKernel = /* @__PURE__ */ defineKernel<BinaryInputs, NoAttributes>({
  name: "Add",
  stock: "Add",
  implementations: {
    cpu: (call) => binaryOnHost(call, (a, b) => a + b),
    webgpu: (call) => elementwiseWebgpu(call, "Add"),
  },
  gradient: addGradient,
});

const subKernel = /* @__PURE__ */ defineKernel<BinaryInputs, NoAttributes>({
  name: "Sub",
  stock: "Sub",
  implementations: {
    cpu: (call) => binaryOnHost(call, (a, b) => a - b),
    webgpu: (call) => elementwiseWebgpu(call, "Sub"),
  },
  gradient: subGradient,
});

function multiplied({ inputs }: KernelCall): (a: number, b: number) => number {
  return inputs.a.dtype === "float32" ? (a, b) => a * b : Math.imul;
}

const mulKernel = /* @__PURE__ */ defineKernel<BinaryInputs, NoAttributes>({
  name: "Multiply",
  stock: "Multiply",
  implementations: {
    cpu: (call) => binaryOnHost(call, multiplied(call)),
    // a product of integers beyond 2⁵³ is not exact in tfjs's kernel
    wasm: (call) => arithmeticWasm(call, "Multiply") ?? binaryOnHost(call, multiplied(call)),
    webgpu: (call) => elementwiseWebgpu(call, "Multiply"),
  },
  saves: ["a", "b"],
  gradient: mulGradient,
});

const divKernel = /* @__PURE__ */ defineKernel<BinaryInputs, NoAttributes>({
  name: "RealDiv",
  stock: "RealDiv",
  implementations: {
    cpu: (call) => binaryOnHost(call, (a, b) => a / b),
    webgpu: (call) => elementwiseWebgpu(call, "RealDiv"),
  },
  saves: ["a", "b"],
  gradient: divGradient,
});

function floorDivOnHost(call: KernelCall) {
  return binaryOnHost(call, call.inputs.a.dtype === "float32" ? floorDivideFloat : floorDivideInt);
}

const floorDivideKernel = /* @__PURE__ */ defineKernel<BinaryInputs, NoAttributes>({
  name: "FloorDiv",
  stock: "FloorDiv",
  implementations: {
    cpu: floorDivOnHost,
    wasm: (call) => arithmeticWasm(call, "FloorDiv") ?? floorDivOnHost(call),
    webgpu: (call) => elementwiseWebgpu(call, "FloorDiv"),
  },
  gradient: floorDivideGradient,
});

function modOnHost(call: KernelCall) {
  return binaryOnHost(call, call.inputs.a.dtype === "float32" ? remainderFloat : remainderInt);
}

const remainderKernel = /* @__PURE__ */ defineKernel<BinaryInputs, NoAttributes>({
  name: "Mod",
  stock: "Mod",
  implementations: {
    cpu: modOnHost,
    wasm: (call) => arithmeticWasm(call, "Mod") ?? modOnHost(call),
    webgpu: (call) => elementwiseWebgpu(call, "Mod"),
  },
  saves: ["a", "b"],
  gradient: remainderGradient,
});

function powOnHost(call: KernelCall) {
  return binaryOnHost(call, call.inputs.a.dtype === "float32" ? powFloat : powInt);
}

const powKernel = /* @__PURE__ */ defineKernel<BinaryInputs, NoAttributes>({
  name: "Pow",
  stock: "Pow",
  implementations: {
    cpu: powOnHost,
    wasm: (call) => arithmeticWasm(call, "Pow") ?? powOnHost(call),
    webgpu: (call) => elementwiseWebgpu(call, "Pow"),
  },
  saves: ["a", "b"],
  gradient: powGradient,
});

const maximumKernel = /* @__PURE__ */ defineKernel<BinaryInputs, NoAttributes>({
  name: "Maximum",
  stock: "Maximum",
  implementations: {
    cpu: (call) => binaryOnHost(call, Math.max),
    webgpu: (call) => elementwiseWebgpu(call, "Maximum"),
  },
  saves: ["a", "b"],
  gradient: (context) => extremumGradient(context, "maximum"),
});

const minimumKernel = /* @__PURE__ */ defineKernel<BinaryInputs, NoAttributes>({
  name: "Minimum",
  stock: "Minimum",
  implementations: {
    cpu: (call) => binaryOnHost(call, Math.min),
    webgpu: (call) => elementwiseWebgpu(call, "Minimum"),
  },
  saves: ["a", "b"],
  gradient: (context) => extremumGradient(context, "minimum"),
});

const squaredDifferenceKernel = /* @__PURE__ */ defineKernel<BinaryInputs, NoAttributes>({
  name: "SquaredDifference",
  stock: "SquaredDifference",
  implementations: {
    cpu: (call) => binaryOnHost(call, (a, b) => (a - b) * (a - b)),
    webgpu: (call) => elementwiseWebgpu(call, "SquaredDifference"),
  },
  saves: ["a", "b"],
  gradient: squaredDifferenceGradient,
});

const atan2Kernel = /* @__PURE__ */ defineKernel<BinaryInputs, NoAttributes>({
  name: "Atan2",
  stock: "Atan2",
  implementations: {
    cpu: (call) => binaryOnHost(call, Math.atan2),
    webgpu: (call) => elementwiseWebgpu(call, "Atan2"),
  },
  saves: ["a", "b"],
  gradient: atan2Gradient,
});

/**
 * `a + b` with broadcasting. int32 wraps around.
 * @param a `[...]` @param b `[...]` that broadcasts with `a`; a number takes `a`'s dtype when it is an integer.
 * @returns the broadcast shape; float32 when one is, else int32 (bool + bool is a logical or, as in PyTorch).
 * @throws ShapeError when the shapes do not broadcast.
 * @example
 * const y = add(tensor([[1, 2], [3, 4]]), tensor([10, 20])); // [[11, 22], [13, 24]]
 */
export function add(a: TensorLike, b: TensorLike): Tensor {
  return areBool(a, b) ? logicalOr(a, b) : binary("add", addKernel, a, b);
}

/**
 * `a − b` with broadcasting. int32 wraps around.
 * @param a `[...]` @param b `[...]` that broadcasts with `a`
 * @returns the broadcast shape; float32 when one is, else int32.
 * @throws ShapeError when the shapes do not broadcast. @throws DTypeError for two bool tensors, as in PyTorch.
 */
export function sub(a: TensorLike, b: TensorLike): Tensor {
  if (areBool(a, b))
    throw new DTypeError("sub: expected numbers, got two bool tensors; use logicalXor or cast one to int32");
  return binary("sub", subKernel, a, b);
}

/**
 * `a · b` element by element, with broadcasting. int32 wraps around.
 * @param a `[...]` @param b `[...]` that broadcasts with `a`
 * @returns the broadcast shape; float32 when one is, else int32 (bool · bool is a logical and).
 * @throws ShapeError when the shapes do not broadcast.
 */
export function mul(a: TensorLike, b: TensorLike): Tensor {
  return areBool(a, b) ? logicalAnd(a, b) : binary("mul", mulKernel, a, b);
}

/**
 * `a / b` with broadcasting, always in float32: 1 / 2 of integers is 0.5.
 * @param a `[...]` @param b `[...]` that broadcasts with `a`
 * @returns the broadcast shape, float32.
 * @throws ShapeError when the shapes do not broadcast.
 */
export function div(a: TensorLike, b: TensorLike): Tensor {
  return binary("div", divKernel, a, b, "float32");
}

/**
 * `⌊a / b⌋` with broadcasting, Python's `//`: −7 // 2 is −4. An int32 divided by 0 gives 0. Gradients are zero.
 * @param a `[...]` @param b `[...]` that broadcasts with `a`
 * @returns the broadcast shape; float32 when one is, else int32.
 * @throws ShapeError when the shapes do not broadcast.
 */
export function floorDivide(a: TensorLike, b: TensorLike): Tensor {
  return binary("floorDivide", floorDivideKernel, a, b);
}

/**
 * `a − b·⌊a / b⌋` with broadcasting, Python's `%` and `torch.remainder`: it has the sign of `b`. int32 modulo 0 gives 0.
 * @param a `[...]` @param b `[...]` that broadcasts with `a`
 * @returns the broadcast shape; float32 when one is, else int32.
 * @throws ShapeError when the shapes do not broadcast.
 */
export function remainder(a: TensorLike, b: TensorLike): Tensor {
  return binary("remainder", remainderKernel, a, b);
}

/**
 * `aᵇ` with broadcasting; 0⁰ is 1. int32 wraps around, and a negative power of an integer is 0 (±1 for a base of ±1).
 * The gradient with respect to `b` is 0 where `a` is 0 and `b` not negative, as in PyTorch.
 * @param a `[...]` @param b `[...]` that broadcasts with `a`
 * @returns the broadcast shape; float32 when one is, else int32.
 * @throws ShapeError when the shapes do not broadcast.
 */
export function pow(a: TensorLike, b: TensorLike): Tensor {
  return binary("pow", powKernel, a, b);
}

/**
 * The larger of `a` and `b`, NaN if one is NaN. Where they tie each gets half of the gradient.
 * @param a `[...]` @param b `[...]` that broadcasts with `a`
 * @returns the broadcast shape and promoted dtype.
 * @throws ShapeError when the shapes do not broadcast.
 */
export function maximum(a: TensorLike, b: TensorLike): Tensor {
  return areBool(a, b) ? logicalOr(a, b) : binary("maximum", maximumKernel, a, b);
}

/**
 * The smaller of `a` and `b`, NaN if one is NaN. Where they tie each gets half of the gradient.
 * @param a `[...]` @param b `[...]` that broadcasts with `a`
 * @returns the broadcast shape and promoted dtype.
 * @throws ShapeError when the shapes do not broadcast.
 */
export function minimum(a: TensorLike, b: TensorLike): Tensor {
  return areBool(a, b) ? logicalAnd(a, b) : binary("minimum", minimumKernel, a, b);
}

/**
 * `(a − b)²` with broadcasting.
 * @param a `[...]` @param b `[...]` that broadcasts with `a`
 * @returns the broadcast shape; float32 when one is, else int32.
 * @throws ShapeError when the shapes do not broadcast.
 */
export function squaredDifference(a: TensorLike, b: TensorLike): Tensor {
  const isFloat = (value: TensorLike): boolean => typeof value === "object" && value?.dtype === "float32";
  if (isFloat(a) || isFloat(b)) return binary("squaredDifference", squaredDifferenceKernel, a, b);
  return tidy(() => {
    const difference = binary("squaredDifference", subKernel, a, b);
    return mul(difference, difference);
  });
}

/**
 * The angle of the point (`b`, `a`), `atan(a / b)` in the right quadrant: radians in [−π, π]. Its gradient at (0, 0) is 0.
 * @param a `[...]`, the ordinate @param b `[...]` that broadcasts with `a`, the abscissa
 * @returns the broadcast shape, float32.
 * @throws ShapeError when the shapes do not broadcast.
 */
export function atan2(a: TensorLike, b: TensorLike): Tensor {
  return binary("atan2", atan2Kernel, a, b, "float32");
}
