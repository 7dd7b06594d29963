import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../../../kernels/define-kernel.js";
import type { ResampleAttributes } from "../../../ops/resample.js";
import { sizeOf } from "../../../shape.js";
import { gpuBackend } from "../backend.js";
import { dispatch, u32 } from "../dispatch.js";

/** `ai/Resample`: a banded matrix along the middle axis of `[outer, length, inner]`. */
export function resampleWebgpu({
  inputs: { x },
  attrs: { table },
  backend,
}: KernelCall<ResampleAttributes>): TensorInfo {
  const [outer, length, inner] = x.shape;
  const { starts, offsets, weights } = table;
  const shape = [outer, starts.length, inner];
  const upload = gpuBackend(backend);
  const parts = {
    starts: upload.makeTensorInfo([starts.length], "int32", starts),
    offsets: upload.makeTensorInfo([offsets.length], "int32", offsets),
    weights: upload.makeTensorInfo([weights.length], "float32", weights),
  };
  const [result] = dispatch(backend, {
    name: "Resample",
    inputs: { x, ...parts },
    outputs: { result: { shape, dtype: "float32" } },
    uniforms: { length: u32(length), rows: u32(starts.length), inner: u32(inner) },
    threads: sizeOf(shape),
    body: () => `
let column = index % uniforms.inner;
let row = index / uniforms.inner % uniforms.rows;
let block = index / uniforms.inner / uniforms.rows;
let first = offsets[row];
let base = block * uniforms.length + u32(starts[row]);
var total = 0.0;
for (var tap = first; tap < offsets[row + 1u]; tap++) {
  total += weights[tap] * x[(base + u32(tap - first)) * uniforms.inner + column];
}
result[index] = total;`,
  });
  for (const part of Object.values(parts)) backend.disposeData(part.dataId);
  return result;
}
