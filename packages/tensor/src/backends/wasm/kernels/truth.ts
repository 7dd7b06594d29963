import type { TensorInfo } from "@tensorflow/tfjs-core";
import { broadcastShapes, sameShape, sizeOf, stridesOf } from "../../../shape.js";
import type { WasmBackend } from "../backend.js";
import { broadcastStrides, MAXIMUM_AXES } from "./broadcast.js";
import { copyBlock, isPlain } from "./layout.js";

/** Numbers of wasm/integers.ts from here on are comparisons, in the order of `COMPARISONS` in elementwise-table.ts. */
const TRUTH_COMPARISON = 3;

/** Whether a tensor holds truth values, stored as such. */
export const isTruth = (backend: WasmBackend, x: TensorInfo): boolean =>
  x.dtype === "bool" && isPlain(backend, x);

/** Runs a function of truth values along their broadcast shape; one that is repeated is written out first, into working memory. */
function truthwise(
  backend: WasmBackend,
  tensors: readonly TensorInfo[],
  run: (operands: number[], output: number, count: number) => void,
): TensorInfo | null {
  if (!tensors.every((tensor) => isTruth(backend, tensor))) return null;
  const first = tensors[0].shape;
  const shape = tensors.every((tensor) => sameShape(tensor.shape, first))
    ? first
    : tensors.reduce<number[]>((joined, tensor) => broadcastShapes("logic", joined, tensor.shape), []);
  const count = sizeOf(shape);
  const repeated = tensors.filter((tensor) => !sameShape(tensor.shape, shape)).length;
  if (repeated > 0 && (count === 0 || shape.length > MAXIMUM_AXES - 1)) return null;
  const sources = tensors.map((tensor) => backend.pointer(tensor));
  const output = backend.allocateOutput(shape, "bool");
  let memory = repeated > 0 ? backend.scratch(count * repeated) : 0;
  const operands = tensors.map((tensor, index) => {
    if (sameShape(tensor.shape, shape)) return sources[index];
    const from = { pointer: sources[index], strides: broadcastStrides(tensor.shape, shape), offset: 0 };
    copyBlock(backend, "bool", shape, from, { pointer: memory, strides: stridesOf(shape), offset: 0 });
    memory += count;
    return memory - count;
  });
  run(operands, backend.pointer(output), count);
  return output;
}

/** `a ∘ b` of truth values with broadcasting; the operations are those of wasm/integers.ts. */
export function logic(
  backend: WasmBackend,
  operation: number,
  a: TensorInfo,
  b: TensorInfo,
): TensorInfo | null {
  return truthwise(backend, [a, b], ([first, second], output, count) =>
    backend.exports.logic(operation, first, second, output, count),
  );
}

/** Compares truth values, false below true. @param operation Number of `COMPARISONS` in elementwise-table.ts. */
export function compareTruth(
  backend: WasmBackend,
  operation: number,
  a: TensorInfo,
  b: TensorInfo,
): TensorInfo | null {
  return logic(backend, operation + TRUTH_COMPARISON, a, b);
}

/** `condition ? a : b` of truth values, with broadcasting of all three. */
export function chooseTruth(
  backend: WasmBackend,
  condition: TensorInfo,
  a: TensorInfo,
  b: TensorInfo,
): TensorInfo | null {
  return truthwise(backend, [condition, a, b], ([conditions, first, second], output, count) =>
    backend.exports.selectTruth(conditions, first, second, output, count),
  );
}
