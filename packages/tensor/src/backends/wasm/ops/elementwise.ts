import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { DType } from "../../../dtype.js";
import type { KernelCall } from "../../../kernels/define-kernel.js";
import { sizeOf, stridesOf } from "../../../shape.js";
import type { WasmBackend } from "../backend.js";
import { broadcastStrides, MAXIMUM_AXES } from "../kernels/broadcast.js";
import { ARITHMETIC, binary, choose, GRADIENTS } from "../kernels/elementwise.js";
import { copyBlock, isPlain } from "../kernels/layout.js";

/** `ai/ReluGrad`, `ai/SigmoidGrad` and `ai/TanhGrad` in WebAssembly: `dy` through an op whose output was `y`. */
export function outputGradientWasm(
  { inputs: { dy, y }, backend }: KernelCall,
  operation: keyof typeof GRADIENTS,
): TensorInfo | null {
  const wasm = backend as WasmBackend;
  return wasm.isFloat32(dy) && wasm.isFloat32(y) ? binary(wasm, GRADIENTS[operation], dy, y) : null;
}

/** `ai/Pow`, `ai/FloorDiv` and `ai/Mod` in WebAssembly. */
export function arithmeticWasm(
  { inputs: { a, b }, backend }: KernelCall,
  operation: keyof typeof ARITHMETIC,
): TensorInfo | null {
  return binary(backend as WasmBackend, ARITHMETIC[operation], a, b);
}

/** `ai/Where` in WebAssembly. */
export function whereWasm({ inputs: { condition, a, b }, backend }: KernelCall): TensorInfo | null {
  return choose(backend as WasmBackend, condition, a, b);
}

/** `ai/BroadcastTo` in WebAssembly. */
export function broadcastToWasm({
  inputs: { x },
  attrs: { shape },
  backend,
}: KernelCall<{ shape: number[] }>): TensorInfo | null {
  const wasm = backend as WasmBackend;
  if (!isPlain(wasm, x) || sizeOf(shape) === 0 || shape.length >= MAXIMUM_AXES) return null;
  const source = wasm.pointer(x);
  const output = wasm.allocateOutput(shape, x.dtype as DType);
  copyBlock(
    wasm,
    x.dtype as DType,
    shape,
    { pointer: source, strides: broadcastStrides(x.shape, shape), offset: 0 },
    { pointer: wasm.pointer(output), strides: stridesOf(shape), offset: 0 },
  );
  return output;
}
