import type { KernelCall } from "../../kernels/define-kernel.js";
import type { EpsilonAttributes } from "../../ops/normalization.js";
import { hostResult, valuesOf } from "./values.js";

/** `ai/BatchNormTraining` on the host: x `[rows, channels]` → y, mean and variance. */
export function batchNormTrainingOnHost({ inputs, attrs, backend }: KernelCall<EpsilonAttributes>) {
  const [rows, channels] = inputs.x.shape;
  const x = valuesOf(backend, inputs.x);
  const weight = inputs.weight && valuesOf(backend, inputs.weight);
  const bias = inputs.bias && valuesOf(backend, inputs.bias);
  const mean = new Float64Array(channels);
  const variance = new Float64Array(channels);
  for (let row = 0, i = 0; row < rows; row++) for (let c = 0; c < channels; c++, i++) mean[c] += x[i];
  for (let c = 0; c < channels; c++) mean[c] /= rows;
  for (let row = 0, i = 0; row < rows; row++)
    for (let c = 0; c < channels; c++, i++) variance[c] += (x[i] - mean[c]) ** 2;
  const scale = new Float64Array(channels);
  for (let c = 0; c < channels; c++) {
    variance[c] /= rows;
    scale[c] = (weight?.[c] ?? 1) / Math.sqrt(variance[c] + attrs.epsilon);
  }
  const y = new Float32Array(rows * channels);
  for (let row = 0, i = 0; row < rows; row++)
    for (let c = 0; c < channels; c++, i++) y[i] = (x[i] - mean[c]) * scale[c] + (bias?.[c] ?? 0);
  return [
    hostResult(backend, [rows, channels], "float32", y),
    hostResult(backend, [channels], "float32", Float32Array.from(mean)),
    hostResult(backend, [channels], "float32", Float32Array.from(variance)),
  ];
}

/** `ai/BatchNormBackprop` on the host → dx, dweight, dbias. */
export function batchNormBackpropOnHost({ inputs, attrs, backend }: KernelCall<EpsilonAttributes>) {
  const [rows, channels] = inputs.x.shape;
  const x = valuesOf(backend, inputs.x);
  const dy = valuesOf(backend, inputs.dy);
  const mean = valuesOf(backend, inputs.mean);
  const variance = valuesOf(backend, inputs.variance);
  const weight = inputs.weight && valuesOf(backend, inputs.weight);
  const inverse = Float64Array.from(variance, (value) => 1 / Math.sqrt(value + attrs.epsilon));
  const total = new Float64Array(channels);
  const along = new Float64Array(channels);
  for (let row = 0, i = 0; row < rows; row++)
    for (let c = 0; c < channels; c++, i++) {
      total[c] += dy[i];
      along[c] += dy[i] * (x[i] - mean[c]) * inverse[c];
    }
  const dx = new Float32Array(rows * channels);
  for (let row = 0, i = 0; row < rows; row++)
    for (let c = 0; c < channels; c++, i++) {
      const normalized = (x[i] - mean[c]) * inverse[c];
      dx[i] = (weight?.[c] ?? 1) * inverse[c] * (dy[i] - (total[c] + normalized * along[c]) / rows);
    }
  return [
    hostResult(backend, [rows, channels], "float32", dx),
    hostResult(backend, [channels], "float32", Float32Array.from(along)),
    hostResult(backend, [channels], "float32", Float32Array.from(total)),
  ];
}
