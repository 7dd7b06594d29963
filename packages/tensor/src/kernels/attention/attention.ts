import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../../arguments.js";
import { deviceOfBackend } from "../../device.js";
import { asDType } from "../../dtype.js";
import { engine } from "../../engine.js";
import { DTypeError, InputError, ShapeError } from "../../errors.js";
import { tidy } from "../../memory.js";
import { where } from "../../ops/compare.js";
import { any } from "../../ops/reduce.js";
import { reshape, tile } from "../../ops/shape-ops.js";
import type { StreamPosition } from "../../philox.js";
import { defaultGenerator, type RandomGenerator, skipWords } from "../../random.js";
import { broadcastShapes, formatShape, sameShape, sizeOf } from "../../shape.js";
import { scalar } from "../../tensor.js";
import { defineKernel } from "../define-kernel.js";
import { attentionGradient } from "./attention.gradient.js";
import { attentionReference, attentionWeights, drawnFactors } from "./attention.reference.js";
import { attentionWasm } from "./attention.wasm.js";
import { attentionWebgpu } from "./attention.webgpu.js";
import { announceAttention } from "./observe.js";

/** Options of {@link scaledDotProductAttention}. */
export interface AttentionOptions {
  /**
   * Broadcasts with `[batch, heads, queries, keys]`. bool: true where a query may look at a key. float32: added to
   * the scores, −∞ hides a key.
   */
  readonly mask?: Tensor;
  /** Query `i` looks at keys `0 … i` only. Default false. */
  readonly isCausal?: boolean;
  /** Factor of the scores. Default `1 / √headDim`. */
  readonly scale?: number;
  /** Share of the attention weights that are set to 0, the rest scaled up. Default 0; use it in training only. */
  readonly dropoutProbability?: number;
  /** Where dropout draws from; the default generator when left out. */
  readonly generator?: RandomGenerator;
  /**
   * Lets `key` and `value` have fewer heads, a divisor of the queries': neighbouring heads of queries share one, as with
   * PyTorch's `enable_gqa`. Default false.
   */
  readonly groupedQueries?: boolean;
}

/** `query` `[batch, heads, queries, headDim]`, `key` `[…, keys, headDim]`, `value` `[…, keys, valueDim]`; `dropout` is a factor of the weights. */
export type AttentionInputs = { query: Tensor; key: Tensor; value: Tensor; mask?: Tensor; dropout?: Tensor };
export type AttentionAttributes = {
  scale: number;
  isCausal: boolean;
  /** In place of the tensor `dropout`: the share of the weights that is kept, and where the words of its mask begin. */
  drawn?: { kept: number; position: StreamPosition };
};

/** Outputs: the result, and for the gradient ln Σ e^score `[batch, heads, queries]`, 0 for a query that sees nothing. */
export const attentionKernel = /* @__PURE__ */ defineKernel<AttentionInputs, AttentionAttributes>({
  name: "Attention",
  reference: attentionReference,
  implementations: { wasm: attentionWasm, webgpu: attentionWebgpu },
  saves: ["query", "key", "value", "mask", "dropout", "output"],
  gradient: attentionGradient,
});

/**
 * Attention: `softmax(scale · query·keyᵀ + mask) · value`, softmax over the keys.
 * A query that may look at no key gives 0, with a gradient of 0 (its softmax alone would be NaN). A key that a bool mask hides
 * from all queries counts for nothing, whatever stands in it and its value, NaN included.
 * @param query `[batch, heads, queries, headDim]`
 * @param key `[batch, heads, keys, headDim]`, with `groupedQueries` `[batch, keyValueHeads, keys, headDim]`
 * @param value `[batch, heads, keys, valueDim]`, likewise
 * @returns `[batch, heads, queries, valueDim]`
 * @throws ShapeError when sizes disagree or the mask does not broadcast.
 * @throws DTypeError when a tensor is not float32 (the mask: nor bool).
 * @throws InputError for `mask` together with `isCausal`, as in PyTorch, or a number out of range.
 * @see Vaswani et al. (2017), "Attention is all you need", https://arxiv.org/abs/1706.03762, section 3.2.1
 * @example
 * const y = scaledDotProductAttention(query, key, value, { isCausal: true });
 */
export function scaledDotProductAttention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: AttentionOptions = {},
): Tensor {
  assertOptions("scaledDotProductAttention", options, [
    "mask",
    "isCausal?",
    "scale",
    "dropoutProbability",
    "generator",
    "groupedQueries?",
  ]);
  const { mask, isCausal = false, dropoutProbability = 0, generator, groupedQueries = false } = options;
  const scores = assertAttention({ query, key, value, mask }, groupedQueries);
  const [, heads, , headDim]: readonly number[] = query.shape;
  const scale = options.scale ?? 1 / Math.sqrt(headDim);
  if (mask !== undefined && isCausal)
    throw new InputError(
      "scaledDotProductAttention: expected mask or isCausal, got both; put the causal part into the mask",
    );
  if (options.scale !== undefined && !Number.isFinite(options.scale))
    throw new InputError(`scaledDotProductAttention: expected a finite scale, got ${options.scale}`);
  if (!(dropoutProbability >= 0 && dropoutProbability < 1))
    throw new InputError(
      `scaledDotProductAttention: expected a dropoutProbability in [0, 1), got ${dropoutProbability}`,
    );
  announceAttention(() =>
    tidy(() => attentionWeights({ query, key: repeatHeads(key, heads), mask }, { scale, isCausal })[0]),
  );
  const attend = (queries: Tensor, keys: Tensor, values: Tensor): Tensor => {
    const rows =
      mask?.dtype === "bool" ? clearHidden(mask, { key: keys, value: values }) : { key: keys, value: values };
    const inputs = { query: queries, ...rows, mask };
    if (dropoutProbability === 0) return attentionKernel(inputs, { scale, isCausal });
    const kept = 1 - dropoutProbability;
    const position = skipWords(generator ?? defaultGenerator(), sizeOf(scores));
    const drawn = { kept, position };
    // elsewhere the gradient would draw the mask a second time, on the host
    if (deviceOfBackend(engine().backendName) === "wasm")
      return attentionKernel(inputs, { scale, isCausal, drawn });
    const dropout = drawnFactors(drawn, [...queries.shape.slice(0, 3), keys.shape[2]!]);
    return attentionKernel({ ...inputs, dropout }, { scale, isCausal });
  };
  const [batch, own]: readonly number[] = key.shape;
  return tidy(() => {
    if (own === heads) return attend(query, key, value);
    if (!sharesScores(scores, mask, isCausal))
      return attend(query, repeatHeads(key, heads), repeatHeads(value, heads));
    // one query a head: heads that share their keys are queries of one head, and nothing is copied
    const together = reshape(query, [batch, own, heads / own, headDim]);
    return reshape(attend(together, key, value), [batch, heads, 1, value.shape[3]!]);
  });
}

/** Whether a mask, and the causal rule, are the same for one query of every head. */
function sharesScores(
  [, , queries]: readonly number[],
  mask: Tensor | undefined,
  isCausal: boolean,
): boolean {
  return queries === 1 && !isCausal && (mask?.shape.at(-3) ?? 1) === 1;
}

/** Gives every head of queries keys or values of its own. @param x `[batch, keyValueHeads, keys, dim]` @returns `[batch, heads, keys, dim]` */
function repeatHeads(x: Tensor, heads: number): Tensor {
  const [batch, own, keys, dim]: readonly number[] = x.shape;
  if (own === heads) return x;
  const repeated = tile(reshape(x, [batch, own, 1, keys, dim]), [1, 1, heads / own, 1, 1]); // [batch, own, heads / own, keys, dim]
  return reshape(repeated, [batch, heads, keys, dim]);
}

/** Sets keys that no query may look at, and their values, to 0: a NaN in them would pass through a weight of 0. */
function clearHidden(mask: Tensor, rows: { key: Tensor; value: Tensor }): { key: Tensor; value: Tensor } {
  const { shape } = mask;
  const keys = shape.at(-1) ?? 1;
  const seen = shape.length < 2 || shape.at(-2) === 1 ? mask : any(mask, { axes: -2, keepDims: true });
  const column = reshape(seen, [...shape.slice(0, -2), keys, 1]); // [batch, heads, keys, 1]
  return { key: where(column, rows.key, scalar(0)), value: where(column, rows.value, scalar(0)) };
}

/** @returns the shape of the scores, `[batch, heads, queries, keys]` */
function assertAttention(
  { query, key, value, mask }: { query: Tensor; key: Tensor; value: Tensor; mask: Tensor | undefined },
  groupedQueries: boolean,
): number[] {
  const operation = "scaledDotProductAttention";
  for (const [name, tensor] of Object.entries({ query, key, value })) {
    if (asDType(operation, tensor?.dtype) !== "float32")
      throw new DTypeError(`${operation}: expected float32 for ${name}, got ${tensor.dtype}; cast it first`);
    if (tensor.shape.length !== 4)
      throw new ShapeError(
        `${operation}: expected ${name} of shape [batch, heads, length, headDim], got ${formatShape(tensor.shape)}; reshape it first`,
      );
  }
  const [batch, heads, queries, headDim]: readonly number[] = query.shape;
  const [, own, keys]: readonly number[] = key.shape;
  const keyHeads = groupedQueries && own > 0 && heads > 0 && heads % own === 0 ? own : heads;
  if (!sameShape(key.shape, [batch, keyHeads, keys, headDim]))
    throw new ShapeError(
      `${operation}: expected a key of shape [${batch}, ${groupedQueries ? `a divisor of ${heads}` : heads}, keys, ${headDim}], got ${formatShape(key.shape)}${groupedQueries || own === heads ? "" : "; pass groupedQueries: true where heads share keys"}`,
    );
  if (!sameShape(value.shape.slice(0, 3), [batch, keyHeads, keys]))
    throw new ShapeError(
      `${operation}: expected a value of shape [${batch}, ${keyHeads}, ${keys}, valueDim], got ${formatShape(value.shape)}`,
    );
  const scores = [batch, heads, queries, keys];
  if (mask === undefined) return scores;
  if (mask.dtype !== "bool" && mask.dtype !== "float32")
    throw new DTypeError(
      `${operation}: expected a mask of bool or float32, got ${mask.dtype}; cast it first`,
    );
  if (!sameShape(broadcastShapes(operation, mask.shape, scores), scores))
    throw new ShapeError(
      `${operation}: expected a mask that broadcasts to ${formatShape(scores)}, got ${formatShape(mask.shape)}`,
    );
  return scores;
}
