import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { DType } from "../../../dtype.js";
import type { KernelCall } from "../../../kernels/define-kernel.js";
import type { ArgSortAttributes } from "../../../ops/sort.js";
import type { WasmBackend } from "../backend.js";
import { isPlain } from "../kernels/layout.js";

/** How wasm/sort.ts calls the ways to store an element. */
const KINDS: Record<DType, number> = { float32: 0, int32: 1, bool: 2 };

/** `ai/ArgSort` in WebAssembly: the first `count` places in order of each line of `[outer, length, inner]`. */
export function argSortWasm({
  inputs: { x },
  attrs: { count, descending },
  backend,
}: KernelCall<ArgSortAttributes>): TensorInfo | null {
  const wasm = backend as WasmBackend;
  const [outer, length, inner] = x.shape;
  if (!isPlain(wasm, x) || outer * count * inner === 0) return null;
  const source = wasm.pointer(x);
  const output = wasm.allocateOutput([outer, count, inner], "int32");
  const bytes = wasm.exports.sortBytes(length) * wasm.runtime.pool.threads;
  wasm.exports.argSort(
    source,
    wasm.pointer(output),
    outer,
    length,
    inner,
    count,
    KINDS[x.dtype as DType],
    Number(descending),
    bytes === 0 ? 0 : wasm.scratch(bytes),
  );
  return output;
}
