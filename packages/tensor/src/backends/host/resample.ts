import type { KernelCall } from "../../kernels/define-kernel.js";
import type { ResampleAttributes } from "../../ops/resample.js";
import { hostResult, valuesOf } from "./values.js";

/** `ai/Resample` on the host: a banded matrix along the middle axis of `[outer, length, inner]`. */
export function resampleOnHost({ inputs, attrs, backend }: KernelCall<ResampleAttributes>) {
  const [outer, length, inner] = inputs.x.shape;
  const { starts, offsets, weights } = attrs.table;
  const count = starts.length;
  const from = valuesOf(backend, inputs.x);
  const values = new Float32Array(outer * count * inner);
  for (let block = 0; block < outer; block++)
    for (let output = 0; output < count; output++) {
      const write = (block * count + output) * inner;
      for (let position = offsets[output]; position < offsets[output + 1]; position++) {
        const read = (block * length + starts[output] + position - offsets[output]) * inner;
        const weight = weights[position];
        for (let i = 0; i < inner; i++) values[write + i] += weight * from[read + i];
      }
    }
  return hostResult(backend, [outer, count, inner], "float32", values);
}
