import type { TensorInfo } from "@tensorflow/tfjs-core";
import { broadcastStrides, MAXIMUM_AXES, mergeAxes, setAxes } from "../../backends/wasm/kernels/broadcast.js";
import { sizeOf } from "../../shape.js";
import type { KernelCall } from "../define-kernel.js";
import { compiledEngine } from "../wasm-call.js";
import type { RotaryEmbeddingAttributes } from "./rotary-embedding.js";

export function rotaryEmbeddingWasm(call: KernelCall<RotaryEmbeddingAttributes>): TensorInfo | null {
  const wasm = compiledEngine(call);
  if (wasm === undefined) return null;
  const { x, cosine, sine } = call.inputs;
  const half = cosine.shape.at(-1)!;
  const lead = x.shape.slice(0, -1);
  const tables = cosine.shape.slice(0, -1);
  const strides = broadcastStrides(tables, lead);
  const axes = mergeAxes(lead.map((length, axis) => ({ length, strides: [strides[axis]] })));
  if (axes.length > MAXIMUM_AXES) return null;
  const sources = [wasm.pointer(x), wasm.pointer(cosine), wasm.pointer(sine)] as const;
  const output = wasm.allocateOutput(x.shape);
  setAxes(wasm, axes);
  wasm.exports.rotaryEmbedding(
    ...sources,
    wasm.pointer(output),
    sizeOf(lead),
    x.shape.at(-1)!,
    half,
    Number(call.attrs.interleaved),
    axes.length,
  );
  return output;
}
