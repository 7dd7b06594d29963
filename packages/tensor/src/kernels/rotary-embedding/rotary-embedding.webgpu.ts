import type { TensorInfo } from "@tensorflow/tfjs-core";
import { dispatch, u32 } from "../../backends/webgpu/dispatch.js";
import { sameShape } from "../../shape.js";
import type { KernelCall } from "../define-kernel.js";
import type { RotaryEmbeddingAttributes } from "./rotary-embedding.js";

/** One thread an element. Tables that broadcast in their middle axes go to the reference. */
export function rotaryEmbeddingWebgpu({
  inputs,
  attrs: { interleaved },
  backend,
}: KernelCall<RotaryEmbeddingAttributes>): TensorInfo | null {
  const { x, cosine } = inputs;
  const half = cosine.shape[cosine.shape.length - 1];
  const headDim = x.shape[x.shape.length - 1];
  const rows = cosine.shape.slice(0, -1);
  const lead = x.shape.slice(0, -1);
  if (half === 0 || rows.length > lead.length || !sameShape(lead.slice(lead.length - rows.length), rows))
    return null;
  const [y] = dispatch(backend, {
    name: "RotaryEmbedding",
    variant: String(interleaved),
    inputs,
    outputs: { y: { shape: x.shape, dtype: "float32" } },
    uniforms: { headDim: u32(headDim), half: u32(half), tableRows: u32(cosine.size / half) },
    threads: x.size,
    body: () => `
let channel = index % uniforms.headDim;
if (channel >= 2u * uniforms.half) { y[index] = x[index]; return; }
${
  interleaved
    ? "let pair = channel / 2u;\nlet isSecond = channel % 2u == 1u;\nlet step = 1u;"
    : "let pair = channel % uniforms.half;\nlet isSecond = channel >= uniforms.half;\nlet step = uniforms.half;"
}
let angle = index / uniforms.headDim % uniforms.tableRows * uniforms.half + pair;
if (isSecond) { y[index] = x[index] * cosine[angle] + x[index - step] * sine[angle]; }
else { y[index] = x[index] * cosine[angle] - x[index + step] * sine[angle]; }`,
  });
  return y;
}
