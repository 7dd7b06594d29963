import type { Tensor } from "@tensorflow/tfjs-core";
import { elementwiseWebgpu } from "../backends/webgpu/kernels/elementwise.js";
import * as gradients from "../gradients/unary.js";
import { defineKernel } from "../kernels/define-kernel.js";
import { floatUnary, type NoAttributes, type UnaryInputs } from "./broadcast.js";

const sinKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Sin",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "Sin") },
  stock: "Sin",
  saves: ["x"],
  gradient: gradients.sinGradient,
});

const cosKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Cos",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "Cos") },
  stock: "Cos",
  saves: ["x"],
  gradient: gradients.cosGradient,
});

const tanKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Tan",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "Tan") },
  stock: "Tan",
  saves: ["output"],
  gradient: gradients.tanGradient,
});

const asinKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Asin",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "Asin") },
  stock: "Asin",
  saves: ["x"],
  gradient: gradients.asinGradient,
});

const acosKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Acos",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "Acos") },
  stock: "Acos",
  saves: ["x"],
  gradient: gradients.acosGradient,
});

const atanKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Atan",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "Atan") },
  stock: "Atan",
  saves: ["x"],
  gradient: gradients.atanGradient,
});

const sinhKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Sinh",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "Sinh") },
  stock: "Sinh",
  saves: ["x"],
  gradient: gradients.sinhGradient,
});

const coshKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Cosh",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "Cosh") },
  stock: "Cosh",
  saves: ["x"],
  gradient: gradients.coshGradient,
});

const asinhKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Asinh",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "Asinh") },
  stock: "Asinh",
  saves: ["x"],
  gradient: gradients.asinhGradient,
});

const acoshKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Acosh",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "Acosh") },
  stock: "Acosh",
  saves: ["x"],
  gradient: gradients.acoshGradient,
});

const atanhKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Atanh",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "Atanh") },
  stock: "Atanh",
  saves: ["x"],
  gradient: gradients.atanhGradient,
});

/**
 * Sine of an angle in radians.
 * @param x `[...]` @returns `[...]`, float32.
 */
export function sin(x: Tensor): Tensor {
  return floatUnary("sin", sinKernel, x);
}

/**
 * Cosine of an angle in radians.
 * @param x `[...]` @returns `[...]`, float32.
 */
export function cos(x: Tensor): Tensor {
  return floatUnary("cos", cosKernel, x);
}

/**
 * Tangent of an angle in radians.
 * @param x `[...]` @returns `[...]`, float32.
 */
export function tan(x: Tensor): Tensor {
  return floatUnary("tan", tanKernel, x);
}

/**
 * Arc sine, radians in [−π/2, π/2]; NaN outside [−1, 1].
 * @param x `[...]` @returns `[...]`, float32.
 */
export function asin(x: Tensor): Tensor {
  return floatUnary("asin", asinKernel, x);
}

/**
 * Arc cosine, radians in [0, π]; NaN outside [−1, 1].
 * @param x `[...]` @returns `[...]`, float32.
 */
export function acos(x: Tensor): Tensor {
  return floatUnary("acos", acosKernel, x);
}

/**
 * Arc tangent, radians in [−π/2, π/2].
 * @param x `[...]` @returns `[...]`, float32.
 */
export function atan(x: Tensor): Tensor {
  return floatUnary("atan", atanKernel, x);
}

/**
 * Hyperbolic sine.
 * @param x `[...]` @returns `[...]`, float32.
 */
export function sinh(x: Tensor): Tensor {
  return floatUnary("sinh", sinhKernel, x);
}

/**
 * Hyperbolic cosine.
 * @param x `[...]` @returns `[...]`, float32.
 */
export function cosh(x: Tensor): Tensor {
  return floatUnary("cosh", coshKernel, x);
}

/**
 * Inverse hyperbolic sine.
 * @param x `[...]` @returns `[...]`, float32.
 */
export function asinh(x: Tensor): Tensor {
  return floatUnary("asinh", asinhKernel, x);
}

/**
 * Inverse hyperbolic cosine; NaN below 1.
 * @param x `[...]` @returns `[...]`, float32.
 */
export function acosh(x: Tensor): Tensor {
  return floatUnary("acosh", acoshKernel, x);
}

/**
 * Inverse hyperbolic tangent; NaN outside [−1, 1].
 * @param x `[...]` @returns `[...]`, float32.
 */
export function atanh(x: Tensor): Tensor {
  return floatUnary("atanh", atanhKernel, x);
}
