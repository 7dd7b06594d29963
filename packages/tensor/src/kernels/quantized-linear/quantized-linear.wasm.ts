import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../define-kernel.js";
import { compiledEngine, optionalPointer } from "../wasm-call.js";
import type { QuantizedAttributes, QuantizedLinearAttributes } from "./quantized-linear-rows.js";

/** Up to this many rows integers are multiplied; from there on weights become floats. Measured, by bits. */
const FEW_ROWS = { 8: 16, 4: 8 } as const;
/** Bytes of weights that are floats at a time. */
const PANEL_BYTES = 2 ** 22;

export function dequantizeWasm(call: KernelCall<QuantizedAttributes>): TensorInfo | null {
  const wasm = compiledEngine(call);
  if (wasm === undefined) return null;
  const { values, scales, zeroPoints } = call.inputs;
  const { bits, groupSize, inFeatures } = call.attrs;
  const [rows]: readonly number[] = values.shape;
  const output = wasm.allocateOutput([rows, inFeatures]);
  wasm.exports.unpackWeights(
    wasm.pointer(values),
    wasm.pointer(scales),
    optionalPointer(wasm, zeroPoints),
    wasm.pointer(output),
    rows,
    inFeatures,
    bits,
    groupSize,
  );
  return output;
}

export function quantizedLinearWasm(call: KernelCall<QuantizedLinearAttributes>): TensorInfo | null {
  const wasm = compiledEngine(call);
  if (wasm === undefined) return null;
  const { exports } = wasm;
  const { bits, groupSize, inFeatures } = call.attrs;
  const [rows]: readonly number[] = call.inputs.x.shape;
  const [outFeatures]: readonly number[] = call.inputs.values.shape;
  const x = wasm.pointer(call.inputs.x);
  const values = wasm.pointer(call.inputs.values);
  const scales = wasm.pointer(call.inputs.scales);
  const zeroPoints = optionalPointer(wasm, call.inputs.zeroPoints);
  const bias = optionalPointer(wasm, call.inputs.bias);
  const output = wasm.allocateOutput([rows, outFeatures]);
  const y = wasm.pointer(output);
  if (rows <= FEW_ROWS[bits]) {
    const prepared = wasm.scratch(exports.quantizedBytes(rows, inFeatures, bits));
    exports.multiplyQuantized(
      x,
      values,
      scales,
      zeroPoints,
      bias,
      y,
      rows,
      outFeatures,
      inFeatures,
      bits,
      groupSize,
      prepared,
      Number(call.attrs.activationBits === 32),
    );
    return output;
  }
  const columns = Math.max(8, Math.floor(PANEL_BYTES / (32 * inFeatures)) * 8);
  const packed = wasm.scratch(Math.min(columns, outFeatures + 7) * inFeatures * 4);
  for (let first = 0; first < outFeatures; first += columns) {
    const width = Math.min(columns, outFeatures - first);
    exports.setProduct(
      x,
      0,
      y + 4 * first,
      rows,
      width,
      inFeatures,
      inFeatures,
      inFeatures,
      outFeatures,
      0,
      1,
      bias === 0 ? 0 : bias + 4 * first,
      0,
      packed,
      0,
      0,
    );
    exports.packWeights(values, scales, zeroPoints, first, inFeatures, bits, groupSize);
    exports.multiply();
  }
  return output;
}
