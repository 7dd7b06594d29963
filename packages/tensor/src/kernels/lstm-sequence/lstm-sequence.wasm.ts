import type { Tensor, TensorInfo } from "@tensorflow/tfjs-core";
import type { WasmBackend } from "../../backends/wasm/backend.js";
import { BINARY } from "../../backends/wasm/kernels/elementwise.js";
import { packedBytes, repeatedProduct } from "../../backends/wasm/kernels/product.js";
import type { KernelCall } from "../define-kernel.js";
import type { LstmSequenceAttributes } from "./lstm-sequence.js";

const BYTES = 4;

function allFloat32(wasm: WasmBackend, inputs: Record<string, Tensor>): boolean {
  return Object.values(inputs).every((tensor) => wasm.isFloat32(tensor));
}

/** The chain on addresses: per step one product and the cell, nothing sliced, nothing stacked. */
export function lstmSequenceWasm({
  inputs,
  attrs: { reverse },
  backend,
}: KernelCall<LstmSequenceAttributes>): TensorInfo[] | null {
  const wasm = backend as WasmBackend;
  const [length, batch, width]: readonly number[] = inputs.inputGates.shape;
  if (length * batch * width === 0 || !allFloat32(wasm, inputs)) return null;
  const size = width / 4;
  const addresses = [inputs.inputGates, inputs.hiddenWeight, inputs.hidden, inputs.cell].map((tensor) =>
    wasm.pointer(tensor),
  );
  const [inputGates, weight, firstHidden, firstCell] = addresses;
  const outputs = [
    wasm.allocateOutput([length, batch, size]),
    wasm.allocateOutput([length, batch, size]),
    wasm.allocateOutput([length, batch, width]),
  ];
  const [hiddens, cells, gates] = outputs.map((output) => wasm.pointer(output));
  const packed = packedBytes(width, size);
  const scratch = wasm.scratch(packed + batch * width * BYTES);
  const recalled = scratch + packed;
  const multiply = repeatedProduct(
    wasm,
    {
      b: weight,
      rows: batch,
      columns: width,
      depth: size,
      transposeB: true,
    },
    scratch,
  );
  const stateBytes = batch * size * BYTES;
  let hidden = firstHidden;
  let cell = firstCell;
  for (let position = 0; position < length; position++) {
    const step = reverse ? length - 1 - position : position;
    const gate = gates + step * 4 * stateBytes;
    multiply(hidden, recalled);
    wasm.exports.binary(BINARY.Add, inputGates + step * 4 * stateBytes, recalled, gate, batch * width, 1, 1);
    wasm.exports.lstmCell(gate, cell, hiddens + step * stateBytes, cells + step * stateBytes, batch, size);
    hidden = hiddens + step * stateBytes;
    cell = cells + step * stateBytes;
  }
  return outputs;
}

/** The backward chain on addresses. */
export function lstmSequenceGradientWasm({
  inputs,
  attrs: { reverse },
  backend,
}: KernelCall<LstmSequenceAttributes>): TensorInfo[] | null {
  const wasm = backend as WasmBackend;
  const [length, batch, width]: readonly number[] = inputs.gates.shape;
  if (length * batch * width === 0 || !allFloat32(wasm, inputs)) return null;
  const size = width / 4;
  const optional = (tensor: Tensor | undefined): number => (tensor === undefined ? 0 : wasm.pointer(tensor));
  const [dHiddens, dCells, dGates] = [inputs.dHiddens, inputs.dCells, inputs.dGates].map(optional);
  const [gates, cells, firstCell, weight] = [
    inputs.gates,
    inputs.cells,
    inputs.cell,
    inputs.hiddenWeight,
  ].map((tensor) => wasm.pointer(tensor));
  const outputs = [
    wasm.allocateOutput([length, batch, width]),
    wasm.allocateOutput([batch, size]),
    wasm.allocateOutput([batch, size]),
  ];
  const [gradients, nextHidden, nextCell] = outputs.map((output) => wasm.pointer(output));
  const count = batch * size;
  const stateBytes = count * BYTES;
  const packed = packedBytes(size, width);
  const scratch = wasm.scratch(packed + stateBytes);
  const sum = scratch + packed;
  const multiply = repeatedProduct(
    wasm,
    {
      b: weight,
      rows: batch,
      columns: size,
      depth: width,
      transposeB: false,
    },
    scratch,
  );
  wasm.exports.fill(nextCell, count, 0);
  for (let position = length - 1; position >= 0; position--) {
    const step = reverse ? length - 1 - position : position;
    const before = reverse ? step + 1 : step - 1;
    const gradient = gradients + step * 4 * stateBytes;
    let dHidden = dHiddens + step * stateBytes;
    if (position < length - 1) {
      wasm.exports.binary(BINARY.Add, dHidden, nextHidden, sum, count, 1, 1);
      dHidden = sum;
    }
    if (dCells !== 0)
      wasm.exports.binary(BINARY.Add, dCells + step * stateBytes, nextCell, nextCell, count, 1, 1);
    wasm.exports.lstmCellGradient(
      dHidden,
      nextCell,
      gates + step * 4 * stateBytes,
      position === 0 ? firstCell : cells + before * stateBytes,
      gradient,
      nextCell,
      batch,
      size,
    );
    if (dGates !== 0)
      wasm.exports.binary(BINARY.Add, gradient, dGates + step * 4 * stateBytes, gradient, 4 * count, 1, 1);
    multiply(gradient, nextHidden);
  }
  return outputs;
}
