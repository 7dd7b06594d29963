import type { TensorInfo } from "@tensorflow/tfjs-core";
import { hostResult, valuesOf } from "../../backends/host/values.js";
import type { KernelCall } from "../define-kernel.js";
import { conjugate, planFft, remember, transform } from "./plan.js";
import type { RealFftAttributes } from "./real-fft-rows.js";

const planOf = /* @__PURE__ */ remember(planFft);

/** Factor of bin `k`. */
function factorOf(k: number, { length, scale, doubled }: RealFftAttributes): number {
  return doubled && k > 0 && 2 * k !== length ? 2 * scale : scale;
}

/** In double precision, a row after the other. */
export function realFftOnHost({ inputs, attrs, backend }: KernelCall<RealFftAttributes>): TensorInfo {
  const { length } = attrs;
  const [rows]: readonly number[] = inputs.x.shape;
  const values = valuesOf<Float32Array>(backend, inputs.x);
  const bins = Math.floor(length / 2) + 1;
  const output = new Float32Array(rows * bins * 2);
  for (let row = 0; row < rows; row++) {
    const numbers = new Float64Array(2 * length);
    for (let i = 0; i < length; i++) numbers[2 * i] = values[row * length + i];
    const result = transform(numbers, planOf(length));
    for (let k = 0; k < bins; k++) {
      const factor = factorOf(k, attrs);
      output[2 * (row * bins + k)] = factor * result[2 * k];
      output[2 * (row * bins + k) + 1] = factor * result[2 * k + 1];
    }
  }
  return hostResult(backend, [rows, bins, 2], "float32", output);
}

export function inverseRealFftOnHost({ inputs, attrs, backend }: KernelCall<RealFftAttributes>): TensorInfo {
  const { length } = attrs;
  const [rows, bins]: readonly number[] = inputs.x.shape;
  const values = valuesOf<Float32Array>(backend, inputs.x);
  const output = new Float32Array(rows * length);
  for (let row = 0; row < rows; row++) {
    const numbers = new Float64Array(2 * length);
    for (let k = 0; k < bins; k++) {
      const factor = factorOf(k, attrs);
      numbers[2 * k] = factor * values[2 * (row * bins + k)];
      // a sine that is 0 at every sample: the imaginary part means nothing
      const flat = k === 0 || 2 * k === length;
      numbers[2 * k + 1] = flat ? 0 : factor * values[2 * (row * bins + k) + 1];
    }
    const result = transform(conjugate(numbers), planOf(length));
    for (let i = 0; i < length; i++) output[row * length + i] = result[2 * i];
  }
  return hostResult(backend, [rows, length], "float32", output);
}
