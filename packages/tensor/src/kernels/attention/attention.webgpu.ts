import type { TensorInfo } from "@tensorflow/tfjs-core";
import { dispatch, f32, u32 } from "../../backends/webgpu/dispatch.js";
import { wgslFunctions } from "../../backends/webgpu/kernels/wgsl.js";
import type { KernelCall } from "../define-kernel.js";
import type { AttentionAttributes } from "./attention.js";
import { maskStrides } from "./mask-strides.js";

/** Queries of one workgroup; each has a share of the 64 threads. */
const QUERIES = 8;
const SHARE = 8;
/** Keys of one step. */
const KEYS = 32;
/** Sums a thread keeps in registers: beyond, matrix products by plain ops are faster. */
const MOST_SUMS = 16;

/**
 * Attention without a matrix of scores in memory: each workgroup goes over the keys in tiles and rescales what it has
 * when a larger score comes. The gradient is the reference's; dropout and long heads go to the reference.
 * @see Milakov, Gimelshein (2018), "Online normalizer calculation for softmax", https://arxiv.org/abs/1805.02867
 * @see Dao et al. (2022), "FlashAttention", https://arxiv.org/abs/2205.14135
 */
export function attentionWebgpu({
  inputs: { query, key, value, mask, dropout },
  attrs: { scale, isCausal },
  backend,
}: KernelCall<AttentionAttributes>): TensorInfo[] | null {
  const [batch, heads, queries, headDim]: readonly number[] = query.shape;
  const [, , keys, valueDim]: readonly number[] = value.shape;
  const sums = Math.ceil(valueDim / SHARE);
  if (dropout !== undefined || sums > MOST_SUMS || headDim > MOST_SUMS * SHARE || headDim === 0) return null;
  const blocks = Math.ceil(queries / QUERIES);
  const kind = mask === undefined ? "none" : mask.dtype;
  const [strideBatch, strideHead, strideQuery, strideKey] = maskStrides(mask?.shape ?? []);
  return dispatch(backend, {
    name: "Attention",
    variant: `${kind} ${isCausal} ${sums} ${headDim}`,
    inputs: mask === undefined ? { query, key, value } : { query, key, value, mask },
    outputs: {
      result: { shape: [batch, heads, queries, valueDim], dtype: "float32" },
      logSums: { shape: [batch, heads, queries], dtype: "float32" },
    },
    uniforms: {
      heads: u32(heads),
      queries: u32(queries),
      keys: u32(keys),
      valueDim: u32(valueDim),
      blocks: u32(blocks),
      scale: f32(scale),
      strideBatch: u32(strideBatch),
      strideHead: u32(strideHead),
      strideQuery: u32(strideQuery),
      strideKey: u32(strideKey),
    },
    groups: batch * heads * blocks,
    declarations: () => `${wgslFunctions(["exp", "maxOf", "infinity", "isInfBits"])}
var<workgroup> rows: array<f32, ${QUERIES * headDim}>;
var<workgroup> scores: array<f32, ${QUERIES * KEYS}>;`,
    body: () => `
let head = group / uniforms.blocks;
let first = group % uniforms.blocks * ${QUERIES}u;
let mine = lane / ${SHARE}u;
let part = lane % ${SHARE}u;
let position = first + mine;
for (var place = lane; place < ${QUERIES * headDim}u; place += ${QUERIES * SHARE}u) {
  let row = min(first + place / ${headDim}u, uniforms.queries - 1u);
  rows[place] = query[(head * uniforms.queries + row) * ${headDim}u + place % ${headDim}u];
}
workgroupBarrier();
var largest = -infinity();
var total = 0.0;
var sums: array<f32, ${sums}>;
let end = ${isCausal ? `min(uniforms.keys, first + ${QUERIES}u)` : "uniforms.keys"};
for (var start = 0u; start < end; start += ${KEYS}u) {
  for (var step = 0u; step < ${KEYS / SHARE}u; step++) {
    let place = start + step * ${SHARE}u + part;
    var score = -infinity();
    if (${isCausal ? "place < end && place <= position" : "place < end"}) {
      let at = (head * uniforms.keys + place) * ${headDim}u;
      var dot = 0.0;
      for (var d = 0u; d < ${headDim}u; d++) { dot += rows[mine * ${headDim}u + d] * key[at + d]; }
      score = dot * uniforms.scale;
      ${maskScore(kind)}
    }
    scores[mine * ${KEYS}u + step * ${SHARE}u + part] = score;
  }
  workgroupBarrier();
  var top = largest;
  for (var j = 0u; j < ${KEYS}u; j++) { top = maxOf(top, scores[mine * ${KEYS}u + j]); }
  // nothing visible yet: the factors stay 0, where −∞ − (−∞) would be NaN
  let blind = isInfBits(top) && top < 0.0;
  let rescale = select(expOf(largest - top), 0.0, blind);
  total *= rescale;
  for (var i = 0u; i < ${sums}u; i++) { sums[i] *= rescale; }
  for (var j = 0u; j < min(${KEYS}u, end - start); j++) {
    let weight = select(expOf(scores[mine * ${KEYS}u + j] - top), 0.0, blind);
    total += weight;
    let at = (head * uniforms.keys + start + j) * uniforms.valueDim + part;
    for (var i = 0u; i < ${sums}u; i++) {
      if (part + i * ${SHARE}u < uniforms.valueDim) { sums[i] += weight * value[at + i * ${SHARE}u]; }
    }
  }
  largest = top;
  workgroupBarrier();
}
if (position < uniforms.queries) {
  let at = (head * uniforms.queries + position) * uniforms.valueDim + part;
  for (var i = 0u; i < ${sums}u; i++) {
    if (part + i * ${SHARE}u < uniforms.valueDim) {
      result[at + i * ${SHARE}u] = select(sums[i] / total, 0.0, total == 0.0);
    }
  }
  if (part == 0u) {
    logSums[head * uniforms.queries + position] = select(largest + log(total), 0.0, total == 0.0);
  }
}`,
  });
}

function maskScore(kind: string): string {
  if (kind === "none") return "";
  const at =
    "head / uniforms.heads * uniforms.strideBatch + head % uniforms.heads * uniforms.strideHead + min(position, uniforms.queries - 1u) * uniforms.strideQuery + place * uniforms.strideKey";
  if (kind === "bool") return `if (mask[${at}] == 0) { score = -infinity(); }`;
  return `score += mask[${at}];`;
}
