import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../../../kernels/define-kernel.js";
import type { EpsilonAttributes } from "../../../ops/normalization.js";
import { sizeOf } from "../../../shape.js";
import type { WasmBackend } from "../backend.js";
import { REDUCTION } from "../kernels/reduce.js";

/** Values per channel in working memory: written on the host, read by the next kernel. */
function perChannel(
  wasm: WasmBackend,
  lists: readonly ((channel: number) => number)[],
  channels: number,
): number[] {
  const start = wasm.scratch(lists.length * channels * 4);
  const { float32 } = wasm.runtime;
  return lists.map((compute, index) => {
    const address = start + index * channels * 4;
    for (let channel = 0; channel < channels; channel++)
      float32[(address >>> 2) + channel] = compute(channel);
    return address;
  });
}

/** Room for the sums of parts of the rows, until the next kernel. */
function partialSums(wasm: WasmBackend, rows: number, channels: number): number {
  return wasm.scratch(wasm.exports.columnParts(rows) * Math.ceil(channels / 4) * 32);
}

/** A reader of the floats at an address; it asks for the memory's view at each read, as growth detaches old ones. */
function reader(wasm: WasmBackend, address: number): (channel: number) => number {
  return (channel) => wasm.runtime.float32[(address >>> 2) + channel];
}

/** `ai/BatchNormTraining` in WebAssembly: x `[rows, channels]` → y, mean and variance. */
export function batchNormTrainingWasm({
  inputs,
  attrs,
  backend,
}: KernelCall<EpsilonAttributes>): TensorInfo[] | null {
  const wasm = backend as WasmBackend;
  const { x, weight, bias } = inputs;
  if (
    sizeOf(x.shape) === 0 ||
    ![x, weight, bias].every((input) => input === undefined || wasm.isFloat32(input))
  )
    return null;
  const [rows, channels] = x.shape;
  const source = wasm.pointer(x);
  const scales = weight === undefined ? () => 1 : reader(wasm, wasm.pointer(weight));
  const shifts = bias === undefined ? () => 0 : reader(wasm, wasm.pointer(bias));
  const [y, mean, variance] = [
    wasm.allocateOutput(x.shape),
    wasm.allocateOutput([channels]),
    wasm.allocateOutput([channels]),
  ];
  const [means, variances] = [wasm.pointer(mean), wasm.pointer(variance)];
  wasm.exports.reduceColumns(REDUCTION.Mean, source, means, 1, rows, channels);
  wasm.exports.centredColumns(
    0,
    source,
    means,
    variances,
    partialSums(wasm, rows, channels),
    rows,
    channels,
    rows,
  );
  const spread = reader(wasm, variances);
  const factor = (channel: number): number => scales(channel) / Math.sqrt(spread(channel) + attrs.epsilon);
  const [factors, offsets] = perChannel(wasm, [factor, shifts], channels);
  wasm.exports.batchNorm(source, means, factors, offsets, wasm.pointer(y), rows, channels);
  return [y, mean, variance];
}

/** `ai/BatchNormBackprop` in WebAssembly → dx, dweight, dbias. */
export function batchNormBackpropWasm({
  inputs,
  attrs,
  backend,
}: KernelCall<EpsilonAttributes>): TensorInfo[] | null {
  const wasm = backend as WasmBackend;
  const { x, dy, weight, mean, variance } = inputs;
  if (
    sizeOf(x.shape) === 0 ||
    ![x, dy, weight, mean, variance].every((input) => input === undefined || wasm.isFloat32(input))
  )
    return null;
  const [rows, channels] = x.shape;
  const [source, gradient, means] = [wasm.pointer(x), wasm.pointer(dy), wasm.pointer(mean)];
  const spread = reader(wasm, wasm.pointer(variance));
  const scales = weight === undefined ? () => 1 : reader(wasm, wasm.pointer(weight));
  const [dx, dWeight, dBias] = [
    wasm.allocateOutput(x.shape),
    wasm.allocateOutput([channels]),
    wasm.allocateOutput([channels]),
  ];
  const [along, total] = [wasm.pointer(dWeight), wasm.pointer(dBias)];
  wasm.exports.reduceColumns(REDUCTION.Sum, gradient, total, 1, rows, channels);
  const sums = partialSums(wasm, rows, channels);
  wasm.exports.centredColumns(gradient, source, means, along, sums, rows, channels, 1);
  const [totalOf, products] = [reader(wasm, total), reader(wasm, along)];
  const inverse = (channel: number): number => 1 / Math.sqrt(spread(channel) + attrs.epsilon);
  const [factors, totals, slopes] = perChannel(
    wasm,
    [
      (channel) => scales(channel) * inverse(channel),
      (channel) => totalOf(channel) / rows,
      (channel) => (products(channel) * inverse(channel) ** 2) / rows,
    ],
    channels,
  );
  wasm.exports.batchNormInputGradient(
    gradient,
    source,
    means,
    factors,
    totals,
    slopes,
    wasm.pointer(dx),
    rows,
    channels,
  );
  // so far Σ dy · (x − mean)
  for (let channel = 0; channel < channels; channel++)
    wasm.runtime.float32[(along >>> 2) + channel] *= inverse(channel);
  return [dx, dWeight, dBias];
}
