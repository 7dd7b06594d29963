import type { TensorInfo } from "@tensorflow/tfjs-core";
import { dispatch, i32, u32 } from "../../backends/webgpu/dispatch.js";
import { wgslFunctions } from "../../backends/webgpu/kernels/wgsl.js";
import type { KernelCall } from "../define-kernel.js";
import { eachPlace, LARGEST_OVER_LANES_WGSL, SUM_OVER_LANES_WGSL } from "../webgpu-lanes.js";
import type { CrossEntropyRowsAttributes } from "./cross-entropy-rows.js";

export function crossEntropyRowsWebgpu({
  inputs,
  attrs: { ignoreIndex },
  backend,
}: KernelCall<CrossEntropyRowsAttributes>): TensorInfo[] | null {
  const [rows, classes]: readonly number[] = inputs.logits.shape;
  if (classes === 0) return null; // no class to look at: the reference knows what no target means
  return dispatch(backend, {
    name: "crossEntropy",
    inputs,
    outputs: { losses: { shape: [rows], dtype: "float32" }, logSums: { shape: [rows], dtype: "float32" } },
    uniforms: { dim: u32(classes), ignoreIndex: i32(ignoreIndex) },
    groups: rows,
    checksIndices: true,
    declarations: () =>
      `${wgslFunctions(["exp", "log", "maxOf"])}${SUM_OVER_LANES_WGSL}${LARGEST_OVER_LANES_WGSL}`,
    body: () => `
let base = group * uniforms.dim;
var part = logits[base];
${eachPlace("part = maxOf(part, logits[base + place]);")}
let largest = largestOverLanes(part, lane);
part = 0.0;
${eachPlace("part += expOf(logits[base + place] - largest);")}
let rest = logOf(sumOverLanes(part, lane));
if (lane == 0u) {
  logSums[group] = largest + rest;
  let goal = targets[group];
  var loss = 0.0;
  if (goal != uniforms.ignoreIndex) {
    loss = rest - (logits[base + u32(checkedIndex(goal, i32(uniforms.dim)))] - largest);
  }
  losses[group] = loss;
}`,
  });
}

export function crossEntropyRowsGradientWebgpu({
  inputs,
  attrs: { ignoreIndex },
  backend,
}: KernelCall<CrossEntropyRowsAttributes>): TensorInfo {
  const { logits } = inputs;
  const [, classes]: readonly number[] = logits.shape;
  const [dLogits] = dispatch(backend, {
    name: "CrossEntropyGradient",
    inputs,
    outputs: { dLogits: { shape: logits.shape, dtype: "float32" } },
    uniforms: { dim: u32(classes), ignoreIndex: i32(ignoreIndex) },
    threads: logits.size,
    declarations: () => wgslFunctions(["exp"]),
    body: () => `
let row = index / uniforms.dim;
let goal = targets[row];
var gradient = 0.0;
if (goal != uniforms.ignoreIndex) {
  let probability = expOf(logits[index] - logSums[row]);
  gradient = dy[row] * (probability - select(0.0, 1.0, i32(index % uniforms.dim) == goal));
}
dLogits[index] = gradient;`,
  });
  return dLogits;
}
