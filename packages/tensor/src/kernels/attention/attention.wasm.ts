import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { WasmBackend } from "../../backends/wasm/backend.js";
import { keepThreshold, streamWords } from "../../backends/wasm/ops/random.js";
import type { KernelCall } from "../define-kernel.js";
import { compiledEngine, optionalPointer } from "../wasm-call.js";
import type { AttentionAttributes } from "./attention.js";
import { maskStrides } from "./mask-strides.js";

/** headDim and valueDim together: what the working memory of a thread has room for. Beyond, the reference runs. */
const MOST_DIMS = 672;
const MASK_KINDS: Readonly<Record<string, number>> = { bool: 1, float32: 2 };

/** Hands inputs and sizes to the kernels. @returns the engine, undefined where the reference shall run */
function prepare(call: KernelCall<AttentionAttributes>): WasmBackend | undefined {
  const { query, value, key, mask, dropout } = call.inputs;
  const [, heads, queries, headDim]: readonly number[] = query.shape;
  const [, , keys, valueDim]: readonly number[] = value.shape;
  const wasm = headDim + valueDim > MOST_DIMS ? undefined : compiledEngine(call);
  if (wasm === undefined) return undefined;
  const [strideBatch, strideHead, strideQuery, strideKey] = maskStrides(mask?.shape ?? []);
  wasm.exports.setAttention(
    wasm.pointer(query),
    wasm.pointer(key),
    wasm.pointer(value),
    optionalPointer(wasm, mask),
    optionalPointer(wasm, dropout),
    heads,
    queries,
    keys,
    headDim,
    valueDim,
    call.attrs.scale,
    Number(call.attrs.isCausal),
    mask === undefined ? 0 : MASK_KINDS[mask.dtype],
    strideBatch,
    strideHead,
    strideQuery,
    strideKey,
  );
  const { drawn } = call.attrs;
  if (drawn !== undefined)
    wasm.exports.setAttentionDropout(
      ...streamWords(drawn.position),
      keepThreshold(drawn.kept),
      1 / drawn.kept,
    );
  return wasm;
}

export function attentionWasm(call: KernelCall<AttentionAttributes>): TensorInfo[] | null {
  const wasm = prepare(call);
  if (wasm === undefined) return null;
  const { query, value } = call.inputs;
  const [batch, heads, queries]: readonly number[] = query.shape;
  const outputs = [
    wasm.allocateOutput([batch, heads, queries, value.shape[3]!]),
    wasm.allocateOutput([batch, heads, queries]),
  ];
  wasm.exports.attention(
    batch * heads,
    wasm.pointer(outputs[0]),
    wasm.pointer(outputs[1]),
    wasm.scratch(wasm.exports.attentionBytes(batch * heads)),
  );
  return outputs;
}

/** @returns gradients of query, key and value */
export function attentionGradientWasm(call: KernelCall<AttentionAttributes>): TensorInfo[] | null {
  const wasm = prepare(call);
  if (wasm === undefined) return null;
  const { query, key, value, output, logSums, dOutput, dLogSums } = call.inputs;
  const [batch, heads]: readonly number[] = query.shape;
  const outputs = [query, key, value].map(({ shape }) => wasm.allocateOutput(shape));
  wasm.exports.attentionGradient(
    batch * heads,
    wasm.pointer(output),
    wasm.pointer(logSums),
    wasm.pointer(dOutput),
    optionalPointer(wasm, dLogSums),
    wasm.pointer(outputs[0]),
    wasm.pointer(outputs[1]),
    wasm.pointer(outputs[2]),
    wasm.scratch(wasm.exports.attentionGradientBytes(batch * heads, wasm.runtime.pool.threads)),
  );
  return outputs;
}
