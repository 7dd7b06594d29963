import { getKernel, type TensorInfo } from "@tensorflow/tfjs-core";
import { broadcastShapes, sizeOf } from "../../../shape.js";
import type { WasmBackend } from "../backend.js";
import type { WasmCall, WasmKernels } from "./kernel.js";
import { FUSED_ACTIVATIONS, multiply, multiplyBatch } from "./product.js";

/** What tfjs fuses behind a product or a convolution. */
export interface Fused {
  readonly bias?: TensorInfo;
  readonly activation: string;
  readonly preluActivationWeights?: TensorInfo;
  readonly leakyreluAlpha?: number;
}

const ACTIVATION_KERNELS: Readonly<Record<string, string>> = {
  elu: "Elu",
  prelu: "Prelu",
  leakyrelu: "LeakyRelu",
};

/** Whether {@link applyActivation} knows an activation, or a product applies it itself. */
export function knowsActivation(activation: string): boolean {
  return activation in FUSED_ACTIVATIONS || activation in ACTIVATION_KERNELS;
}

/** Applies an activation that a product does not apply itself; frees `x` where it makes a new tensor. */
export function applyActivation(backend: WasmBackend, x: TensorInfo, fused: Fused): TensorInfo {
  const { activation, preluActivationWeights, leakyreluAlpha } = fused;
  if (activation in FUSED_ACTIVATIONS) return x;
  const inputs = activation === "prelu" ? { x, alpha: preluActivationWeights! } : { x };
  const result = getKernel(ACTIVATION_KERNELS[activation], "ai-wasm").kernelFunc({
    inputs,
    attrs: { alpha: leakyreluAlpha! },
    backend,
  });
  backend.disposeData(x.dataId);
  return result as TensorInfo;
}

/** `a[..., rows, depth] · b[..., depth, columns]` with broadcast batch axes; null for what the fallback should take. */
export function matMul(
  backend: WasmBackend,
  a: TensorInfo,
  b: TensorInfo,
  transposeA: boolean,
  transposeB: boolean,
  fused: Fused,
): TensorInfo | null {
  const [rankA, rankB] = [a.shape.length, b.shape.length];
  if (rankA < 2 || rankB < 2 || !backend.isFloat32(a) || !backend.isFloat32(b)) return null;
  const depth = a.shape[rankA - (transposeA ? 2 : 1)];
  const rows = a.shape[rankA - (transposeA ? 1 : 2)];
  const columns = b.shape[rankB - (transposeB ? 2 : 1)];
  if (depth !== b.shape[rankB - (transposeB ? 1 : 2)]) return null;
  const batchA = a.shape.slice(0, -2);
  const batchB = b.shape.slice(0, -2);
  const batch = broadcastShapes("matMul", batchA, batchB);
  const [countA, countB, count] = [sizeOf(batchA), sizeOf(batchB), sizeOf(batch)];
  const simpleBatch = (countA === count || countA === 1) && (countB === count || countB === 1);
  if (count * rows * columns * depth === 0 || !simpleBatch) return null;
  const { bias, activation } = fused;
  if (!knowsActivation(activation)) return null;
  if (bias !== undefined && (sizeOf(bias.shape) !== columns || !backend.isFloat32(bias))) return null;

  const pointerA = backend.pointer(a);
  const pointerB = backend.pointer(b);
  const pointerBias = bias === undefined ? 0 : backend.pointer(bias);
  const output = backend.allocateOutput([...batch, rows, columns]);
  // one right-hand matrix: the batch is more rows
  const isFolded = countB === 1 && !transposeA && countA === count;
  const product = {
    a: pointerA,
    b: pointerB,
    bias: pointerBias,
    c: backend.pointer(output),
    rows: isFolded ? rows * count : rows,
    columns,
    depth,
    transposeA,
    transposeB,
    activation: FUSED_ACTIVATIONS[activation] ?? 0,
  };
  if (isFolded || count === 1) multiply(backend, product, b);
  else
    multiplyBatch(backend, product, count, {
      a: countA === 1 ? 0 : rows * depth,
      b: countB === 1 ? 0 : depth * columns,
      c: rows * columns,
    });
  return applyActivation(backend, output, fused);
}

function batchMatMul({ inputs, attrs, backend }: WasmCall): TensorInfo | null {
  const { transposeA, transposeB } = attrs as { transposeA: boolean; transposeB: boolean };
  return matMul(backend, inputs.a, inputs.b, transposeA, transposeB, { activation: "linear" });
}

function fusedMatMul({ inputs, attrs, backend }: WasmCall): TensorInfo | null {
  const { a, b, bias, preluActivationWeights } = inputs;
  const { transposeA, transposeB, activation, leakyreluAlpha } = attrs as unknown as Fused & {
    transposeA: boolean;
    transposeB: boolean;
  };
  return matMul(backend, a, b, transposeA, transposeB, {
    bias,
    activation: activation ?? "linear",
    preluActivationWeights,
    leakyreluAlpha,
  });
}

export const MATMUL_KERNELS: WasmKernels = { BatchMatMul: batchMatMul, _FusedMatMul: fusedMatMul };
