import {
  add,
  cast,
  concat,
  cumsum,
  div,
  einsum,
  expandDims,
  gather,
  greater,
  InputError,
  indexAdd,
  less,
  logicalAnd,
  logicalNot,
  maximum,
  mul,
  narrow,
  oneHot,
  reshape,
  ShapeError,
  silu,
  softmax,
  stack,
  sub,
  sum,
  type Tensor,
  takeAlongAxis,
  tile,
  topK,
  transpose,
  where,
  zeros,
} from "@ai/tensor";
import { assertIntegers, assertShape, assertTensor, formatShape } from "./checks.js";
import { Linear } from "./linear.js";
import { Module } from "./module.js";
import { assertOptionNames } from "./training/option-names.js";

/** Options of {@link MixtureOfExperts}. */
export interface MixtureOfExpertsOptions {
  readonly numExperts: number;
  /** Experts that a token is sent to. Default 2. */
  readonly topK?: number;
  /** Width inside an expert. */
  readonly hiddenDim: number;
  /**
   * Places an expert has, as a multiple of its fair share `topK · tokens / numExperts`: what comes too late is dropped,
   * and the time no longer grows with the number of experts. Default: every expert computes every token, nothing is dropped.
   */
  readonly capacityFactor?: number;
  /**
   * Scale the probabilities of a token's experts to sum 1 (`norm_topk_prob`). Default true, but false for one expert a
   * token, as in Switch: a share that is always 1 would leave the router without a gradient.
   */
  readonly normalizeShares?: boolean;
}

/** Options of a call of {@link MixtureOfExperts}. */
export interface MixtureOfExpertsCallOptions {
  /** Bool `[batch, length]`, true where a token is padding: it goes to no expert, gives 0 and does not count in the balance. */
  readonly paddingMask?: Tensor;
}

type Inputs = [x: Tensor, options?: MixtureOfExpertsCallOptions];

/** Where tokens go. */
interface Routes {
  /** int32 `[tokens, topK]` */
  readonly indices: Tensor;
  /** `[tokens, topK]` */
  readonly shares: Tensor;
  /** `[tokens, topK, numExperts]`: 1 where a choice is an expert, all 0 for padding. */
  readonly slots: Tensor;
}

/** What a call of {@link MixtureOfExperts} gives. */
export interface MixtureOfExpertsResult {
  /** `[batch, length, dim]` */
  readonly output: Tensor;
  /**
   * `[]`: `numExperts · Σ_e share of the tokens sent to e · mean probability of e`, which is `topK` when all experts get
   * alike. Add a small multiple (0.01) to the loss.
   */
  readonly balanceLoss: Tensor;
}

/** One expert, Mixtral's names: `w2(silu(w1 x) · w3 x)`. */
class Expert extends Module<[x: Tensor], Tensor> {
  readonly w1: Linear;
  readonly w2: Linear;
  readonly w3: Linear;

  constructor(dim: number, hiddenDim: number) {
    super();
    this.w1 = new Linear(dim, hiddenDim, { bias: false });
    this.w2 = new Linear(hiddenDim, dim, { bias: false });
    this.w3 = new Linear(dim, hiddenDim, { bias: false });
  }

  /** @param x `[..., dim]` @returns `[..., dim]` */
  protected forward(x: Tensor): Tensor {
    return this.w2.call(mul(silu(this.w1.call(x)), this.w3.call(x)));
  }
}

/**
 * Feed-forward networks of which each token uses a few: the router's `topK` most probable ones, weighted by their
 * probabilities, which are scaled to sum 1 (or, for one expert a token, are not: `normalizeShares`).
 *
 * Submodules, Mixtral's names: `gate` (the router), `experts.N.w1`, `experts.N.w2`, `experts.N.w3`.
 * @see Shazeer et al. (2017), "Outrageously large neural networks", https://arxiv.org/abs/1701.06538; Fedus, Zoph,
 * Shazeer (2021), "Switch Transformers", https://arxiv.org/abs/2101.03961 (balance, capacity); Jiang et al. (2024),
 * "Mixtral of experts", https://arxiv.org/abs/2401.04088
 * @example
 * const layer = new MixtureOfExperts(256, { numExperts: 8, hiddenDim: 512 });
 * const { output, balanceLoss } = layer.call(x); // x and output [batch, length, 256]
 */
export class MixtureOfExperts extends Module<Inputs, MixtureOfExpertsResult> {
  readonly dim: number;
  readonly numExperts: number;
  readonly topK: number;
  readonly capacityFactor: number | undefined;
  readonly normalizeShares: boolean;
  readonly gate: Linear;
  readonly experts: readonly Expert[];

  /** @throws InputError for sizes out of range, more experts a token than there are, or a capacity of 0. */
  constructor(dim: number, options: MixtureOfExpertsOptions) {
    super();
    assertOptionNames(new.target.name, options, [
      "numExperts",
      "topK",
      "hiddenDim",
      "capacityFactor",
      "normalizeShares?",
    ]);
    const { numExperts, topK: count = 2, hiddenDim, capacityFactor } = options;
    assertIntegers("MixtureOfExperts", { dim, numExperts, topK: count, hiddenDim });
    if (count > numExperts)
      throw new InputError(`MixtureOfExperts: expected topK of at most ${numExperts} experts, got ${count}`);
    if (capacityFactor !== undefined && !(typeof capacityFactor === "number" && capacityFactor > 0))
      throw new InputError(`MixtureOfExperts: expected a capacityFactor above 0, got ${capacityFactor}`);
    this.dim = dim;
    this.numExperts = numExperts;
    this.topK = count;
    this.capacityFactor = capacityFactor;
    this.normalizeShares = options.normalizeShares ?? count > 1;
    this.gate = new Linear(dim, numExperts, { bias: false });
    this.experts = Array.from({ length: numExperts }, () => new Expert(dim, hiddenDim));
  }

  /**
   * @param x `[batch, length, dim]`
   * @returns `output` `[batch, length, dim]` and `balanceLoss` `[]`
   * @throws ShapeError for another rank or dim, or a mask of another shape; InputError for a mask that is not bool.
   */
  protected forward(...[x, options]: Inputs): MixtureOfExpertsResult {
    if (options !== undefined) assertOptionNames("call", options, ["paddingMask"]);
    assertShape(x, ["batch", "length", "dim"], this.dim);
    const tokens = reshape(x, [x.size / this.dim, this.dim]); // [tokens, dim]
    const counted = countedTokens(x, options?.paddingMask); // [tokens, 1]
    const probabilities = softmax(this.gate.call(tokens)); // [tokens, numExperts]
    const { indices } = topK(probabilities, this.topK);
    const chosen = takeAlongAxis(probabilities, indices, { axis: 1 }); // [tokens, topK]
    const shares = this.normalizeShares ? div(chosen, sum(chosen, { axes: 1, keepDims: true })) : chosen;
    const slots = mul(oneHot(indices, this.numExperts), expandDims(counted, 2)); // [tokens, topK, numExperts]
    const number = maximum(sum(counted), 1);
    const balanceLoss = mul(
      sum(
        mul(
          div(sum(slots, { axes: 0 }), number), // [topK, numExperts]
          div(sum(mul(probabilities, counted), { axes: 0 }), number), // [numExperts]
        ),
      ),
      this.numExperts,
    );
    const output =
      this.capacityFactor === undefined
        ? this.#everyExpert(tokens, sum(mul(slots, expandDims(shares, 2)), { axes: 1 }))
        : this.#dispatch(tokens, { indices, shares, slots }, this.capacityFactor);
    return { output: reshape(output, x.shape), balanceLoss };
  }

  /** @param weights `[tokens, numExperts]`, 0 for experts that were not chosen. */
  #everyExpert(tokens: Tensor, weights: Tensor): Tensor {
    const outputs = stack(this.experts.map((expert) => expert.call(tokens))); // [numExperts, tokens, dim]
    return einsum("etd,te->td", outputs, weights);
  }

  /** Sends each token to its places, in the order of the tokens, first choices first. */
  #dispatch(tokens: Tensor, { indices, shares, slots }: Routes, factor: number): Tensor {
    const [count]: readonly number[] = tokens.shape;
    const capacity = Math.max(1, Math.ceil((factor * this.topK * count) / this.numExperts));
    const byChoice = (x: Tensor): Tensor => reshape(transpose(x, [1, 0]), [this.topK * count]);
    const inOrder = reshape(transpose(slots, [1, 0, 2]), [this.topK * count, this.numExperts]); // [topK · tokens, numExperts]
    const place = sum(mul(sub(cumsum(inOrder, { axis: 0 }), 1), inOrder), { axes: 1 }); // [topK · tokens]
    const fits = logicalAnd(less(place, capacity), greater(sum(inOrder, { axes: 1 }), 0));
    // the row behind all places takes what found none, and gives zeros
    const nowhere = this.numExperts * capacity;
    const rows = where(fits, add(mul(byChoice(indices), capacity), cast(place, "int32")), nowhere); // [topK · tokens]
    const sent = indexAdd(zeros([nowhere + 1, this.dim]), rows, tile(tokens, [this.topK, 1]));
    const outputs = this.experts.map((expert, index) =>
      expert.call(narrow(sent, { axis: 0, start: index * capacity, length: capacity })),
    ); // [capacity, dim] each
    const received = gather(concat([...outputs, zeros([1, this.dim])], { axis: 0 }), rows); // [topK · tokens, dim]
    const weighted = mul(received, expandDims(byChoice(shares), 1));
    return sum(reshape(weighted, [this.topK, count, this.dim]), { axes: 0 }); // [tokens, dim]
  }

  /** Places are moved to, not multiplied by: an expert's own layers count themselves. */
  override multiplyAdds([x]: Inputs): number {
    return this.capacityFactor === undefined ? x.size * this.numExperts : x.size * this.topK;
  }
}

/** 1 for each token that is no padding. @returns `[tokens, 1]` */
function countedTokens(x: Tensor, mask: Tensor | undefined): Tensor {
  const [batch, length]: readonly number[] = x.shape;
  if (mask === undefined) return zeros([batch * length, 1], "float32", 1);
  assertTensor(mask, "paddingMask");
  if (mask.dtype !== "bool") throw new InputError(`expected a bool paddingMask, got ${mask.dtype}`);
  if (mask.shape.join() !== [batch, length].join())
    throw new ShapeError(`expected a paddingMask [${batch}, ${length}], got ${formatShape(mask.shape)}`);
  return reshape(cast(logicalNot(mask), "float32"), [batch * length, 1]);
}
