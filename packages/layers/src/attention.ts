import {
  add,
  all,
  announceAttention,
  concat,
  equal,
  InputError,
  linear,
  matMul,
  mean,
  mul,
  reshape,
  ShapeError,
  scalar,
  scaledDotProductAttention,
  softmax,
  split,
  type Tensor,
  tile,
  transpose,
  where,
  zeros,
} from "@ai/tensor";
import { type AttentionMasks, visibility, withVisibleKeys } from "./attention-masks.js";
import { assertIntegers, assertOneOf, assertProbability, assertShape, formatShape } from "./checks.js";
import { dropout } from "./dropout.js";
import { constant, normal, xavierUniform } from "./initializers.js";
import { Linear } from "./linear.js";
import { Module } from "./module.js";
import { Parameter } from "./parameter.js";
import { assertOptionNames } from "./training/option-names.js";

/** Options of {@link MultiheadAttention}. */
export interface MultiheadAttentionOptions {
  /** Share of the attention weights that is dropped in training, in [0, 1). Default 0. */
  readonly dropout?: number;
  /** Whether the projections have biases. Default true. */
  readonly bias?: boolean;
  /** Size of the keys. Default `embedDim`. */
  readonly keyDim?: number;
  /** Size of the values. Default `embedDim`. */
  readonly valueDim?: number;
  /** A learned key and value behind the others, which every query sees: `bias_k`, `bias_v` (`add_bias_kv`). Default false. */
  readonly addBiasKeyValue?: boolean;
  /** A key and value of zeros behind the others, which every query sees: looking nowhere (`add_zero_attn`). Default false. */
  readonly addZeroAttention?: boolean;
}

/** Options of a call of {@link MultiheadAttention}. */
export interface MultiheadAttentionCallOptions extends AttentionMasks {
  /** Give the attention weights back, averaged over the heads or one set a head. Default `"none"`, which is faster. */
  readonly weights?: "none" | "average" | "heads";
}

/** What a call of {@link MultiheadAttention} gives. */
export interface MultiheadAttentionResult {
  /** `[batch, queries, embedDim]` */
  readonly output: Tensor;
  /**
   * `[batch, queries, keys]` averaged, `[batch, heads, queries, keys]` a head, undefined when not asked for. Keys that the layer
   * adds come last.
   */
  readonly weights: Tensor | undefined;
}

type Inputs = [query: Tensor, key: Tensor, value: Tensor, options?: MultiheadAttentionCallOptions];

/**
 * Attention in several subspaces: project, `softmax(query·keyᵀ / √headDim)·value` in each head, join, project.
 * A query from which every key is hidden gives the output bias alone (PyTorch: NaN).
 *
 * Parameters: `in_proj_weight` `[3·embedDim, embedDim]` (Xavier uniform; `q_proj_weight`, `k_proj_weight`, `v_proj_weight`
 * when keys or values have another size), `in_proj_bias` `[3·embedDim]` (zeros), `out_proj.weight` `[embedDim, embedDim]`,
 * `out_proj.bias` `[embedDim]` (zeros); with `addBiasKeyValue` `bias_k` and `bias_v` `[1, 1, embedDim]` (Xavier normal).
 * @see Vaswani et al. (2017), "Attention is all you need", https://arxiv.org/abs/1706.03762, section 3.2
 * @example
 * const attention = new MultiheadAttention(256, 8);
 * const { output } = attention.call(x, x, x, { isCausal: true }); // x and output [batch, length, 256]
 */
export class MultiheadAttention extends Module<Inputs, MultiheadAttentionResult> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    inProjectionWeight: "in_proj_weight",
    queryProjectionWeight: "q_proj_weight",
    keyProjectionWeight: "k_proj_weight",
    valueProjectionWeight: "v_proj_weight",
    inProjectionBias: "in_proj_bias",
    outProjection: "out_proj",
    biasKey: "bias_k",
    biasValue: "bias_v",
  };
  static override readonly quantizableWeights: RegExp | undefined = /^(in|q|k|v)_proj_weight$/;
  readonly embedDim: number;
  readonly numHeads: number;
  readonly keyDim: number;
  readonly valueDim: number;
  readonly dropout: number;
  readonly inProjectionWeight: Parameter | undefined;
  readonly queryProjectionWeight: Parameter | undefined;
  readonly keyProjectionWeight: Parameter | undefined;
  readonly valueProjectionWeight: Parameter | undefined;
  readonly inProjectionBias: Parameter | undefined;
  readonly outProjection: Linear;
  readonly biasKey: Parameter | undefined;
  readonly biasValue: Parameter | undefined;
  readonly addZeroAttention: boolean;

  /** @throws InputError for sizes out of range, or heads that do not divide `embedDim`. */
  constructor(embedDim: number, numHeads: number, options: MultiheadAttentionOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, [
      "dropout",
      "bias?",
      "keyDim",
      "valueDim",
      "addBiasKeyValue?",
      "addZeroAttention?",
    ]);
    const { dropout: probability = 0, bias = true, keyDim = embedDim, valueDim = embedDim } = options;
    const { addBiasKeyValue = false, addZeroAttention = false } = options;
    assertIntegers("MultiheadAttention", { embedDim, numHeads, keyDim, valueDim });
    if (embedDim % numHeads !== 0)
      throw new InputError(
        `MultiheadAttention: expected heads that divide embedDim, got ${numHeads} for ${embedDim}`,
      );
    assertProbability("MultiheadAttention", "dropout", probability);
    if (probability === 1) throw new InputError("MultiheadAttention: expected dropout below 1, got 1");
    this.embedDim = embedDim;
    this.numHeads = numHeads;
    this.keyDim = keyDim;
    this.valueDim = valueDim;
    this.dropout = probability;
    const projection = (fanOut: number, fanIn: number): Parameter =>
      new Parameter([fanOut, fanIn], { initializer: xavierUniform({ fanIn, fanOut }) });
    const packed = keyDim === embedDim && valueDim === embedDim;
    this.inProjectionWeight = packed ? projection(3 * embedDim, embedDim) : undefined;
    this.queryProjectionWeight = packed ? undefined : projection(embedDim, embedDim);
    this.keyProjectionWeight = packed ? undefined : projection(embedDim, keyDim);
    this.valueProjectionWeight = packed ? undefined : projection(embedDim, valueDim);
    this.inProjectionBias = bias ? new Parameter([3 * embedDim], { initializer: constant(0) }) : undefined;
    this.outProjection = new Linear(embedDim, embedDim, { bias, biasInitializer: constant(0) });
    const oneMore = (): Parameter =>
      new Parameter([1, 1, embedDim], { initializer: normal({ standardDeviation: embedDim ** -0.5 }) });
    this.biasKey = addBiasKeyValue ? oneMore() : undefined;
    this.biasValue = addBiasKeyValue ? oneMore() : undefined;
    this.addZeroAttention = addZeroAttention;
  }

  /**
   * @param query `[batch, queries, embedDim]`
   * @param key `[batch, keys, keyDim]`
   * @param value `[batch, keys, valueDim]`
   * @returns `output` `[batch, queries, embedDim]` and the `weights` asked for
   * @throws ShapeError or InputError for inputs, masks or options that do not fit.
   */
  protected forward(...[query, key, value, options]: Inputs): MultiheadAttentionResult {
    if (options !== undefined)
      assertOptionNames("call", options, ["weights", "keyPaddingMask", "attentionMask", "isCausal?"]);
    const { weights: kind = "none", ...masks } = options ?? {};
    assertOneOf("MultiheadAttention", "weights", kind, ["none", "average", "heads"]);
    this.#assertInputs(query, key, value);
    const [batch, queries]: readonly number[] = query.shape;
    const [, keys]: readonly number[] = key.shape;
    const size = { batch, heads: this.numHeads, queries, keys };
    const [q, k, v] = this.#withAddedKeys(this.#project(query, key, value)).map((x) => this.#splitHeads(x)); // [batch, heads, length, headDim]
    const probability = this.training ? this.dropout : 0;
    const materialize = kind !== "none" || this.#addedKeys > 0;
    const visible = withVisibleKeys(visibility({ ...masks, materialize }, size), keys, this.#addedKeys);
    if (kind === "none") {
      const attended = scaledDotProductAttention(q, k, v, { ...visible, dropoutProbability: probability });
      return { output: this.outProjection.call(this.#joinHeads(attended)), weights: undefined };
    }
    const scores = mul(matMul(q, k, { transposeB: true }), 1 / Math.sqrt(this.embedDim / this.numHeads)); // [batch, heads, queries, keys]
    const shares = maskedSoftmax(scores, visible.mask);
    announceAttention(() => shares);
    const weights = dropout(shares, probability);
    const output = this.outProjection.call(this.#joinHeads(matMul(weights, v)));
    return { output, weights: kind === "average" ? mean(weights, { axes: 1 }) : weights };
  }

  #assertInputs(query: Tensor, key: Tensor, value: Tensor): void {
    assertShape(query, ["batch", "queries", "dim"], this.embedDim);
    assertShape(key, ["batch", "keys", "dim"], this.keyDim);
    assertShape(value, ["batch", "keys", "dim"], this.valueDim);
    if (
      key.shape[0] !== query.shape[0] ||
      value.shape[0] !== query.shape[0] ||
      value.shape[1] !== key.shape[1]
    )
      throw new ShapeError(
        `expected one batch, and as many values as keys, got ${[query, key, value].map(({ shape }) => formatShape(shape)).join(", ")}`,
      );
  }

  /** Query, key and value, `[batch, length, embedDim]` each: one product where inputs are the same tensor. */
  #project(query: Tensor, key: Tensor, value: Tensor): Tensor[] {
    const { embedDim } = this;
    const bias = this.inProjectionBias?.value;
    if (this.inProjectionWeight === undefined) {
      const parameters = [this.queryProjectionWeight, this.keyProjectionWeight, this.valueProjectionWeight];
      const biases = bias && split(bias, 3);
      return [query, key, value].map((input, index) => parameters[index]!.linear(input, biases?.[index]));
    }
    if (query === key && key === value)
      return split(this.inProjectionWeight.linear(query, bias), 3, { axis: 2 });
    const weight = this.inProjectionWeight.value;
    if (key !== value) {
      const [weights, biases] = [split(weight, 3), bias && split(bias, 3)];
      return [query, key, value].map((input, index) => linear(input, weights[index], biases?.[index]));
    }
    const sizes = [embedDim, 2 * embedDim];
    const [weights, biases] = [split(weight, sizes), bias && split(bias, sizes)];
    return [
      linear(query, weights[0], biases?.[0]),
      ...split(linear(key, weights[1], biases?.[1]), 2, { axis: 2 }),
    ];
  }

  get #addedKeys(): number {
    return (this.biasKey === undefined ? 0 : 1) + (this.addZeroAttention ? 1 : 0);
  }

  /** Keys and values, `[batch, keys, embedDim]`, with those behind them that the layer adds. */
  #withAddedKeys([query, key, value]: Tensor[]): Tensor[] {
    const { biasKey, biasValue, embedDim } = this;
    const [batch] = key.shape;
    const behind = (x: Tensor, bias: Parameter | undefined): Tensor => {
      const rows = bias === undefined ? [x] : [x, tile(bias.value, [batch, 1, 1])];
      if (this.addZeroAttention) rows.push(zeros([batch, 1, embedDim]));
      return rows.length === 1 ? x : concat(rows, { axis: 1 }); // [batch, keys + added, embedDim]
    };
    return [query, behind(key, biasKey), behind(value, biasValue)];
  }

  #splitHeads(x: Tensor): Tensor {
    const [batch, length] = x.shape;
    return transpose(reshape(x, [batch, length, this.numHeads, this.embedDim / this.numHeads]), [0, 2, 1, 3]); // [batch, heads, length, headDim]
  }

  #joinHeads(x: Tensor): Tensor {
    const [batch, , length] = x.shape;
    return reshape(transpose(x, [0, 2, 1, 3]), [batch, length, this.embedDim]); // [batch, length, embedDim]
  }

  override multiplyAdds([query, key, value]: Inputs): number {
    const [batch, queries]: readonly number[] = query.shape;
    const [, keys]: readonly number[] = key.shape;
    const projections = query.size + key.size + value.size;
    return this.embedDim * (projections + 2 * batch * queries * (keys + this.#addedKeys));
  }
}

/** Softmax over the visible keys; a row without any gives zeros. @param scores `[batch, heads, queries, keys]` */
function maskedSoftmax(scores: Tensor, mask: Tensor | undefined): Tensor {
  if (mask === undefined) return softmax(scores);
  const nothing = scalar(Number.NEGATIVE_INFINITY);
  const masked = mask.dtype === "bool" ? where(mask, scores, nothing) : add(scores, mask);
  const blind = all(equal(masked, nothing), { axes: -1, keepDims: true }); // [batch, heads, queries, 1]
  return where(blind, scalar(0), softmax(where(blind, scalar(0), masked)));
}
