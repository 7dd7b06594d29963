import type { TensorInfo } from "@tensorflow/tfjs-core";
import { dispatch } from "../../backends/webgpu/dispatch.js";
import { wgslFunctions } from "../../backends/webgpu/kernels/wgsl.js";
import type { KernelCall } from "../define-kernel.js";
import type { GeluAttributes } from "./gelu.js";

/** `distribution(v)`: Φ(v), or its approximation σ(2√(2/π)(v + 0.044715v³)). */
const DISTRIBUTION = {
  none: "fn distribution(v: f32) -> f32 { return 0.5 * (1.0 + erfOf(0.7071067811865476 * v)); }",
  tanh: `fn twiceArgument(v: f32) -> f32 { return 1.5957691216057308 * v * (1.0 + 0.044715 * v * v); }
fn distribution(v: f32) -> f32 { return sigmoidOf(twiceArgument(v)); }`,
};

export function geluWebgpu({
  inputs: { x },
  attrs: { approximate },
  backend,
}: KernelCall<GeluAttributes>): TensorInfo {
  const [y] = dispatch(backend, {
    name: "Gelu",
    variant: approximate,
    inputs: { x },
    outputs: { y: { shape: x.shape, dtype: "float32" } },
    threads: x.size,
    declarations: () =>
      `${wgslFunctions([approximate === "none" ? "erf" : "sigmoid"])}${DISTRIBUTION[approximate]}`,
    body: () => "y[index] = x[index] * distribution(x[index]);",
  });
  return y;
}

export function geluGradientWebgpu({
  inputs: { dy, x },
  attrs: { approximate },
  backend,
}: KernelCall<GeluAttributes>): TensorInfo {
  const density =
    approximate === "none"
      ? "0.3989422804014327 * expOf(-0.5 * v * v)"
      : "sigmoidOf(twiceArgument(v)) * sigmoidOf(-twiceArgument(v)) * 1.5957691216057308 * (1.0 + 0.134145 * v * v)";
  const [dx] = dispatch(backend, {
    name: "GeluGradient",
    variant: approximate,
    inputs: { dy, x },
    outputs: { dx: { shape: x.shape, dtype: "float32" } },
    threads: x.size,
    declarations: () =>
      `${wgslFunctions(approximate === "none" ? ["erf", "exp"] : ["sigmoid"])}${DISTRIBUTION[approximate]}`,
    body: () => `let v = x[index];\ndx[index] = dy[index] * (distribution(v) + v * (${density}));`,
  });
  return dx;
}
