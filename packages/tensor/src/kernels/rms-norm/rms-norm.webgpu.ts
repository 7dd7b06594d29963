import type { TensorInfo } from "@tensorflow/tfjs-core";
import { dispatch, f32, u32 } from "../../backends/webgpu/dispatch.js";
import { wgslFunctions } from "../../backends/webgpu/kernels/wgsl.js";
import type { KernelCall } from "../define-kernel.js";
import { eachPlace, SUM_OVER_LANES_WGSL } from "../webgpu-lanes.js";
import { addOverRows } from "../webgpu-rows.js";
import type { RmsNormAttributes } from "./rms-norm.js";

const declarations = (): string => `${wgslFunctions(["rsqrt"])}${SUM_OVER_LANES_WGSL}`;

/** WGSL: `inverse`, one over the root mean square of the group's row. */
const STATISTICS = `
let base = group * uniforms.dim;
let length = f32(uniforms.dim);
var part = 0.0;
${eachPlace("part += x[base + place] * x[base + place];")}
let inverse = rsqrtOf(sumOverLanes(part, lane) / length + uniforms.epsilon);`;

export function rmsNormWebgpu({
  inputs,
  attrs: { epsilon },
  backend,
}: KernelCall<RmsNormAttributes>): TensorInfo {
  const { x, weight } = inputs;
  const [rows, dim]: readonly number[] = x.shape;
  const [y] = dispatch(backend, {
    name: "RMSNorm",
    inputs,
    outputs: { y: { shape: x.shape, dtype: "float32" } },
    uniforms: { dim: u32(dim), epsilon: f32(epsilon) },
    groups: rows,
    declarations,
    body: () => `${STATISTICS}
${eachPlace(`y[base + place] = x[base + place] * inverse${weight === undefined ? "" : " * weight[place]"};`)}`,
  });
  return y;
}

export function rmsNormInputGradientWebgpu({
  inputs,
  attrs: { epsilon },
  backend,
}: KernelCall<RmsNormAttributes>): TensorInfo {
  const { x, weight } = inputs;
  const [rows, dim]: readonly number[] = x.shape;
  const scaled = `dy[base + place]${weight === undefined ? "" : " * weight[place]"}`;
  const [dx] = dispatch(backend, {
    name: "RMSNormInputGradient",
    inputs,
    outputs: { dx: { shape: x.shape, dtype: "float32" } },
    uniforms: { dim: u32(dim), epsilon: f32(epsilon) },
    groups: rows,
    declarations,
    body: () => `${STATISTICS}
part = 0.0;
${eachPlace(`part += ${scaled} * x[base + place] * inverse;`)}
let projection = sumOverLanes(part, lane) / length;
${eachPlace(`dx[base + place] = inverse * (${scaled} - x[base + place] * inverse * projection);`)}`,
  });
  return dx;
}

export function rmsNormWeightGradientWebgpu({
  inputs: { dy, x },
  attrs: { epsilon },
  backend,
}: KernelCall<RmsNormAttributes>): TensorInfo {
  const [rows, dim]: readonly number[] = x.shape;
  const [inverses] = dispatch(backend, {
    name: "RMSNormStatistics",
    inputs: { x },
    outputs: { inverses: { shape: [rows], dtype: "float32" } },
    uniforms: { dim: u32(dim), epsilon: f32(epsilon) },
    groups: rows,
    declarations,
    body: () => `${STATISTICS}\nif (lane == 0u) { inverses[group] = inverse; }`,
  });
  const [sum] = addOverRows(backend, {
    name: "RMSNormWeightGradient",
    inputs: { dy, x, inverses },
    terms: ["dy[at] * x[at] * inverses[row]"],
    shape: x.shape,
  });
  backend.disposeData(inverses.dataId);
  return sum;
}
