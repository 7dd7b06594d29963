import type { KernelBackend, TensorInfo } from "@tensorflow/tfjs-core";
import { dispatch, f32, u32 } from "../../backends/webgpu/dispatch.js";
import { wgslFunctions } from "../../backends/webgpu/kernels/wgsl.js";
import type { KernelCall } from "../define-kernel.js";
import { eachPlace, SUM_OVER_LANES_WGSL } from "../webgpu-lanes.js";
import { addOverRows } from "../webgpu-rows.js";
import type { LayerNormAttributes } from "./layer-norm.js";

const declarations = (): string => `${wgslFunctions(["rsqrt"])}${SUM_OVER_LANES_WGSL}`;

/** WGSL: `mean` and `inverse` deviation of the group's row, in two passes, so that a large mean eats no digits. */
const STATISTICS = `
let base = group * uniforms.dim;
let length = f32(uniforms.dim);
var part = 0.0;
${eachPlace("part += x[base + place];")}
let mean = sumOverLanes(part, lane) / length;
part = 0.0;
${eachPlace("let centered = x[base + place] - mean; part += centered * centered;")}
let inverse = rsqrtOf(sumOverLanes(part, lane) / length + uniforms.epsilon);`;

export function layerNormWebgpu({
  inputs,
  attrs: { epsilon },
  backend,
}: KernelCall<LayerNormAttributes>): TensorInfo {
  const { x, weight, bias } = inputs;
  const [rows, dim]: readonly number[] = x.shape;
  const [y] = dispatch(backend, {
    name: "LayerNorm",
    inputs,
    outputs: { y: { shape: x.shape, dtype: "float32" } },
    uniforms: { dim: u32(dim), epsilon: f32(epsilon) },
    groups: rows,
    declarations,
    body: () => `${STATISTICS}
${eachPlace(`let normalized = (x[base + place] - mean) * inverse;
y[base + place] = normalized${weight === undefined ? "" : " * weight[place]"}${bias === undefined ? "" : " + bias[place]"};`)}`,
  });
  return y;
}

export function layerNormInputGradientWebgpu({
  inputs,
  attrs: { epsilon },
  backend,
}: KernelCall<LayerNormAttributes>): TensorInfo {
  const { x, weight } = inputs;
  const [rows, dim]: readonly number[] = x.shape;
  const scaled = `dy[base + place]${weight === undefined ? "" : " * weight[place]"}`;
  const [dx] = dispatch(backend, {
    name: "LayerNormInputGradient",
    inputs,
    outputs: { dx: { shape: x.shape, dtype: "float32" } },
    uniforms: { dim: u32(dim), epsilon: f32(epsilon) },
    groups: rows,
    declarations,
    body: () => `${STATISTICS}
part = 0.0;
var projected = 0.0;
${eachPlace(`let g = ${scaled}; part += g; projected += g * (x[base + place] - mean) * inverse;`)}
let average = sumOverLanes(part, lane) / length;
let projection = sumOverLanes(projected, lane) / length;
${eachPlace(`let normalized = (x[base + place] - mean) * inverse;
dx[base + place] = inverse * (${scaled} - average - normalized * projection);`)}`,
  });
  return dx;
}

/** Mean and inverse deviation of each row. @returns two of `[rows]` */
function statistics(backend: KernelBackend, x: TensorInfo, epsilon: number): TensorInfo[] {
  const [rows, dim] = x.shape;
  return dispatch(backend, {
    name: "LayerNormStatistics",
    inputs: { x },
    outputs: { means: { shape: [rows], dtype: "float32" }, inverses: { shape: [rows], dtype: "float32" } },
    uniforms: { dim: u32(dim), epsilon: f32(epsilon) },
    groups: rows,
    declarations,
    body: () => `${STATISTICS}
if (lane == 0u) { means[group] = mean; inverses[group] = inverse; }`,
  });
}

export function layerNormParameterGradientWebgpu({
  inputs: { dy, x },
  attrs: { epsilon },
  backend,
}: KernelCall<LayerNormAttributes>): TensorInfo[] {
  const [means, inverses] = statistics(backend, x, epsilon);
  const sums = addOverRows(backend, {
    name: "LayerNormParameterGradient",
    inputs: { dy, x, means, inverses },
    terms: ["dy[at] * (x[at] - means[row]) * inverses[row]", "dy[at]"],
    shape: x.shape,
  });
  backend.disposeData(means.dataId);
  backend.disposeData(inverses.dataId);
  return sums;
}
