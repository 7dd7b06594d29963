import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../../../kernels/define-kernel.js";
import { sizeOf } from "../../../shape.js";
import { dispatch, u32 } from "../dispatch.js";
import { wgslFunctions } from "./wgsl.js";

const LANES = 64;
/** Rows up to this long are a thread's work, longer ones a workgroup's. */
const SHORT_ROW = 32;

/** Combines the threads' values in a tree, or nothing where one thread has the whole row. */
const combined = (name: string, combine: string, together: boolean): string =>
  together
    ? `
partials[lane] = ${name};
workgroupBarrier();
for (var half = ${LANES / 2}u; half > 0u; half >>= 1u) {
  if (lane < half) { let a = partials[lane]; let b = partials[lane + half]; partials[lane] = ${combine}; }
  workgroupBarrier();
}
${name} = partials[0];
workgroupBarrier();`
    : "";

/** `ai/Softmax` and `ai/LogSoftmax` over the last axis: one dispatch; NaN and a row of −∞ give NaN. */
export function softmaxWebgpu(
  { inputs: { x }, backend }: KernelCall,
  name: "Softmax" | "LogSoftmax",
): TensorInfo {
  const length = x.shape[x.shape.length - 1];
  const rows = sizeOf(x.shape) / Math.max(1, length);
  const together = length > SHORT_ROW;
  const each = `for (var place = ${together ? "lane" : "0u"}; place < uniforms.length; place += ${together ? LANES : 1}u)`;
  const log = name === "LogSoftmax";
  return dispatch(backend, {
    name,
    inputs: { x },
    outputs: { result: { shape: x.shape, dtype: "float32" } },
    uniforms: { length: u32(length) },
    ...(together ? { groups: rows } : { threads: rows }),
    declarations: () => `${wgslFunctions(["exp", "maxOf", ...(log ? ["log"] : [])])}
${together ? `var<workgroup> partials: array<f32, ${LANES}>;` : ""}`,
    body: () => `
let base = ${together ? "group" : "index"} * uniforms.length;
var largest = x[base];
${each} { largest = maxOf(largest, x[base + place]); }
${combined("largest", "maxOf(a, b)", together)}
var total = 0.0;
${each} { total += expOf(x[base + place] - largest); }
${combined("total", "a + b", together)}
${
  log
    ? `let shift = logOf(total);\n${each} { result[base + place] = (x[base + place] - largest) - shift; }`
    : `${each} { result[base + place] = expOf(x[base + place] - largest) / total; }`
}`,
  })[0];
}
