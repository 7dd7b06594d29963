import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../arguments.js";
import { unaryOnHost } from "../backends/host/elementwise.js";
import { erfFloat } from "../backends/host/functions.js";
import { elementwiseWebgpu } from "../backends/webgpu/kernels/elementwise.js";
import { InputError } from "../errors.js";
import * as gradients from "../gradients/unary.js";
import { defineKernel, type Kernel } from "../kernels/define-kernel.js";
import { tidy } from "../memory.js";
import { mul } from "./arithmetic.js";
import {
  alias,
  assertTensor,
  floatUnary,
  type NoAttributes,
  numericUnary,
  toDType,
  type UnaryInputs,
} from "./broadcast.js";

const negKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Neg",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "Neg") },
  stock: "Neg",
  gradient: gradients.negGradient,
});

const absKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Abs",
  stock: "Abs",
  implementations: {
    // tfjs's goes through float32
    cpu: (call) => unaryOnHost(call, Math.abs),
    webgpu: (call) => elementwiseWebgpu(call, "Abs"),
  },
  saves: ["x"],
  gradient: gradients.absGradient,
});

const signKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Sign",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "Sign") },
  stock: "Sign",
  gradient: gradients.zeroGradient,
});

const floorKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Floor",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "Floor") },
  stock: "Floor",
  gradient: gradients.zeroGradient,
});

const ceilKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Ceil",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "Ceil") },
  stock: "Ceil",
  gradient: gradients.zeroGradient,
});

const roundKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Round",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "Round") },
  stock: "Round",
  gradient: gradients.zeroGradient,
});

const expKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Exp",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "Exp") },
  stock: "Exp",
  saves: ["output"],
  gradient: gradients.expGradient,
});

const expm1Kernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Expm1",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "Expm1") },
  stock: "Expm1",
  saves: ["output"],
  gradient: gradients.expm1Gradient,
});

const logKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Log",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "Log") },
  stock: "Log",
  saves: ["x"],
  gradient: gradients.logGradient,
});

const log1pKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Log1p",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "Log1p") },
  stock: "Log1p",
  saves: ["x"],
  gradient: gradients.log1pGradient,
});

const sqrtKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Sqrt",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "Sqrt") },
  stock: "Sqrt",
  saves: ["output"],
  gradient: gradients.sqrtGradient,
});

const rsqrtKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Rsqrt",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "Rsqrt") },
  stock: "Rsqrt",
  saves: ["output"],
  gradient: gradients.rsqrtGradient,
});

const reciprocalKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Reciprocal",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "Reciprocal") },
  stock: "Reciprocal",
  saves: ["output"],
  gradient: gradients.reciprocalGradient,
});

const erfKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Erf",
  stock: "Erf",
  implementations: {
    // tfjs's polynomial is only good to 1.5e-7 absolute
    cpu: (call) => unaryOnHost(call, erfFloat),
    webgpu: (call) => elementwiseWebgpu(call, "Erf"),
  },
  saves: ["x"],
  gradient: gradients.erfGradient,
});

const tanhKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Tanh",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "Tanh") },
  stock: "Tanh",
  saves: ["output"],
  gradient: gradients.tanhGradient,
});

const sigmoidKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Sigmoid",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "Sigmoid") },
  stock: "Sigmoid",
  saves: ["output"],
  gradient: gradients.sigmoidGradient,
});

/**
 * `−x`. int32 wraps around.
 * @param x `[...]` @returns `[...]` of the same dtype (bool gives int32).
 */
export function neg(x: Tensor): Tensor {
  return numericUnary("neg", negKernel, x);
}

/**
 * `|x|`. Its gradient at 0 is 0.
 * @param x `[...]` @returns `[...]` of the same dtype (bool gives int32).
 */
export function abs(x: Tensor): Tensor {
  return numericUnary("abs", absKernel, x);
}

/**
 * The sign of `x`: −1, 0 or 1; 0 for NaN, as in PyTorch. Gradients are zero.
 * @param x `[...]` @returns `[...]` of the same dtype (bool gives int32).
 */
export function sign(x: Tensor): Tensor {
  return numericUnary("sign", signKernel, x);
}

/**
 * The largest whole number not above `x`. Integers come back as they are. Gradients are zero.
 * @param x `[...]` @returns `[...]` of the same dtype (bool gives int32).
 */
export function floor(x: Tensor): Tensor {
  return rounding("floor", floorKernel, x);
}

/**
 * The smallest whole number not below `x`. Integers come back as they are. Gradients are zero.
 * @param x `[...]` @returns `[...]` of the same dtype (bool gives int32).
 */
export function ceil(x: Tensor): Tensor {
  return rounding("ceil", ceilKernel, x);
}

/**
 * The nearest whole number, halves to the even one: 0.5 → 0, 1.5 → 2, 2.5 → 2. Integers come back as they are. Gradients are zero.
 * @param x `[...]` @returns `[...]` of the same dtype (bool gives int32).
 */
export function round(x: Tensor): Tensor {
  return rounding("round", roundKernel, x);
}

/**
 * `eˣ`.
 * @param x `[...]` @returns `[...]`, float32.
 */
export function exp(x: Tensor): Tensor {
  return floatUnary("exp", expKernel, x);
}

/**
 * `eˣ − 1`, exact for small `x`.
 * @param x `[...]` @returns `[...]`, float32.
 */
export function expm1(x: Tensor): Tensor {
  return floatUnary("expm1", expm1Kernel, x);
}

/**
 * The natural logarithm: −∞ at 0, NaN below.
 * @param x `[...]` @returns `[...]`, float32.
 */
export function log(x: Tensor): Tensor {
  return floatUnary("log", logKernel, x);
}

/**
 * `ln(1 + x)`, exact for small `x`.
 * @param x `[...]` @returns `[...]`, float32.
 */
export function log1p(x: Tensor): Tensor {
  return floatUnary("log1p", log1pKernel, x);
}

/**
 * `√x`; NaN below 0. Its gradient at 0 is ∞.
 * @param x `[...]` @returns `[...]`, float32.
 */
export function sqrt(x: Tensor): Tensor {
  return floatUnary("sqrt", sqrtKernel, x);
}

/**
 * `1 / √x`.
 * @param x `[...]` @returns `[...]`, float32.
 */
export function rsqrt(x: Tensor): Tensor {
  return floatUnary("rsqrt", rsqrtKernel, x);
}

/**
 * `1 / x`.
 * @param x `[...]` @returns `[...]`, float32.
 */
export function reciprocal(x: Tensor): Tensor {
  return floatUnary("reciprocal", reciprocalKernel, x);
}

/**
 * The error function `2/√π · ∫₀ˣ exp(−t²) dt`.
 * @param x `[...]` @returns `[...]`, float32.
 */
export function erf(x: Tensor): Tensor {
  return floatUnary("erf", erfKernel, x);
}

/**
 * Hyperbolic tangent.
 * @param x `[...]` @returns `[...]`, float32.
 */
export function tanh(x: Tensor): Tensor {
  return floatUnary("tanh", tanhKernel, x);
}

/**
 * The logistic function `1 / (1 + e⁻ˣ)`.
 * @param x `[...]` @returns `[...]`, float32.
 */
export function sigmoid(x: Tensor): Tensor {
  return floatUnary("sigmoid", sigmoidKernel, x);
}

/** Floats by the kernel; whole numbers already are what rounding gives. */
function rounding(operation: string, kernel: Kernel<UnaryInputs, NoAttributes>, x: Tensor): Tensor {
  if (x?.dtype === "int32") return alias(x);
  return numericUnary(operation, kernel, x);
}

const squareKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Square",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "Square") },
  stock: "Square",
  saves: ["x"],
  gradient: gradients.squareGradient,
});

/**
 * `x²`. int32 wraps around.
 * @param x `[...]` @returns `[...]` of the same dtype (bool gives int32).
 */
export function square(x: Tensor): Tensor {
  if (x?.dtype === "float32") return numericUnary("square", squareKernel, x);
  assertTensor("square", x);
  return tidy(() => {
    const whole = toDType(x, "int32");
    return mul(whole, whole);
  });
}

const isNaNKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "IsNan",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "IsNan") },
  stock: "IsNan",
});
const isInfKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "IsInf",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "IsInf") },
  stock: "IsInf",
});
const isFiniteKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "IsFinite",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "IsFinite") },
  stock: "IsFinite",
});

/**
 * Whether each element is NaN.
 * @param x `[...]` @returns `[...]`, bool.
 */
// biome-ignore lint/suspicious/noShadowRestrictedNames: NumPy's and PyTorch's name
export function isNaN(x: Tensor): Tensor {
  return floatUnary("isNaN", isNaNKernel, x);
}

/**
 * Whether each element is ∞ or −∞.
 * @param x `[...]` @returns `[...]`, bool.
 */
export function isInf(x: Tensor): Tensor {
  return floatUnary("isInf", isInfKernel, x);
}

/**
 * Whether each element is neither NaN nor infinite.
 * @param x `[...]` @returns `[...]`, bool.
 */
// biome-ignore lint/suspicious/noShadowRestrictedNames: NumPy's and PyTorch's name
export function isFinite(x: Tensor): Tensor {
  return floatUnary("isFinite", isFiniteKernel, x);
}

const clipKernel = /* @__PURE__ */ defineKernel<UnaryInputs, { min: number; max: number }>({
  name: "ClipByValue",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "ClipByValue") },
  stock: {
    kernel: "ClipByValue",
    attrs: ({ min, max }) => ({ clipValueMin: Math.min(min, max), clipValueMax: max }),
  },
  saves: ["x"],
  gradient: gradients.clipGradient,
});

/** Options of {@link clip}: at least one of the two. */
export interface ClipOptions {
  /** Values below become this. Default −∞. */
  readonly min?: number;
  /** Values above become this. Default ∞. */
  readonly max?: number;
}

/**
 * `min(max(x, minimum), maximum)`, NaN stays NaN; the maximum wins where it is below the minimum, as in PyTorch.
 * The gradient is 1 inside, borders included, and 0 outside.
 * @param x `[...]` @returns `[...]`; int32 stays int32 when both bounds are whole numbers, else float32.
 * @throws InputError when neither bound is given, or one is NaN.
 */
export function clip(x: Tensor, options: ClipOptions): Tensor {
  assertOptions("clip", options, ["min", "max"]);
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = options;
  assertTensor("clip", x);
  if (
    Number.isNaN(min) ||
    Number.isNaN(max) ||
    (min === Number.NEGATIVE_INFINITY && max === Number.POSITIVE_INFINITY)
  )
    throw new InputError(`clip: expected a min or a max, got min ${min} and max ${max}; pass { min, max }`);
  if (x.dtype === "float32") return clipKernel({ x }, { min, max });
  const isWhole = (bound: number): boolean => !Number.isFinite(bound) || Number.isInteger(bound);
  return tidy(() => {
    if (!isWhole(min) || !isWhole(max)) return clipKernel({ x: toDType(x, "float32") }, { min, max });
    const intoInt32 = (bound: number): number => Math.min(Math.max(bound, -(2 ** 31)), 2 ** 31 - 1);
    return clipKernel({ x: toDType(x, "int32") }, { min: intoInt32(min), max: intoInt32(max) });
  });
}
