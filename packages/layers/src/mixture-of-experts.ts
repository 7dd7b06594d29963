import {
  cast,
  clip,
  cumsum,
  div,
  einsum,
  InputError,
  less,
  mean,
  mul,
  oneHot,
  reshape,
  silu,
  softmax,
  stack,
  sub,
  sum,
  type Tensor,
  takeAlongAxis,
  topK,
  transpose,
  unstack,
} from "@ai/tensor";
import { assertIntegers, assertShape } from "./checks.js";
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
 * probabilities, which are scaled to sum 1.
 *
 * Submodules, Mixtral's names: `gate` (the router), `experts.N.w1`, `experts.N.w2`, `experts.N.w3`.
 * @see Shazeer et al. (2017), "Outrageously large neural networks", https://arxiv.org/abs/1701.06538; Fedus, Zoph,
 * Shazeer (2021), "Switch Transformers", https://arxiv.org/abs/2101.03961 (balance, capacity); Jiang et al. (2024),
 * "Mixtral of experts", https://arxiv.org/abs/2401.04088
 * @example
 * const layer = new MixtureOfExperts(256, { numExperts: 8, hiddenDim: 512 });
 * const { output, balanceLoss } = layer.call(x); // x and output [batch, length, 256]
 */
export class MixtureOfExperts extends Module<[x: Tensor], MixtureOfExpertsResult> {
  readonly dim: number;
  readonly numExperts: number;
  readonly topK: number;
  readonly capacityFactor: number | undefined;
  readonly gate: Linear;
  readonly experts: readonly Expert[];

  /** @throws InputError for sizes out of range, more experts a token than there are, or a capacity of 0. */
  constructor(dim: number, options: MixtureOfExpertsOptions) {
    super();
    assertOptionNames(new.target.name, options, ["numExperts", "topK", "hiddenDim", "capacityFactor"]);
    const { numExperts, topK: count = 2, hiddenDim, capacityFactor } = options;
    assertIntegers("MixtureOfExperts", { dim, numExperts, topK: count, hiddenDim });
    if (count > numExperts)
      throw new InputError(`MixtureOfExperts: expected topK of at most ${numExperts} experts, got ${count}`);
    if (capacityFactor !== undefined && !(capacityFactor > 0))
      throw new InputError(`MixtureOfExperts: expected a capacityFactor above 0, got ${capacityFactor}`);
    this.dim = dim;
    this.numExperts = numExperts;
    this.topK = count;
    this.capacityFactor = capacityFactor;
    this.gate = new Linear(dim, numExperts, { bias: false });
    this.experts = Array.from({ length: numExperts }, () => new Expert(dim, hiddenDim));
  }

  /**
   * @param x `[batch, length, dim]`
   * @returns `output` `[batch, length, dim]` and `balanceLoss` `[]`
   * @throws ShapeError for another rank or dim.
   */
  protected forward(x: Tensor): MixtureOfExpertsResult {
    assertShape(x, ["batch", "length", "dim"], this.dim);
    const tokens = reshape(x, [x.size / this.dim, this.dim]); // [tokens, dim]
    const probabilities = softmax(this.gate.call(tokens)); // [tokens, numExperts]
    const { indices } = topK(probabilities, this.topK);
    const chosen = takeAlongAxis(probabilities, indices, { axis: 1 }); // [tokens, topK]
    const shares = div(chosen, sum(chosen, { axes: 1, keepDims: true }));
    const slots = oneHot(indices, this.numExperts); // [tokens, topK, numExperts]
    const balanceLoss = mul(
      sum(mul(mean(slots, { axes: 0 }), mean(probabilities, { axes: 0 }))),
      this.numExperts,
    );
    const output =
      this.capacityFactor === undefined
        ? this.#everyExpert(tokens, sum(mul(slots, reshape(shares, [...shares.shape, 1])), { axes: 1 }))
        : this.#dispatch(tokens, shares, slots, this.capacityFactor);
    return { output: reshape(output, x.shape), balanceLoss };
  }

  /** @param weights `[tokens, numExperts]`, 0 for experts that were not chosen. */
  #everyExpert(tokens: Tensor, weights: Tensor): Tensor {
    const outputs = stack(this.experts.map((expert) => expert.call(tokens))); // [numExperts, tokens, dim]
    return einsum("etd,te->td", outputs, weights);
  }

  /** Sends each token to its places, in the order of the tokens, first choices first. */
  #dispatch(tokens: Tensor, shares: Tensor, slots: Tensor, factor: number): Tensor {
    const [count] = tokens.shape;
    const capacity = Math.max(1, Math.ceil((factor * this.topK * count) / this.numExperts));
    const inOrder = reshape(transpose(slots, [1, 0, 2]), [this.topK * count, this.numExperts]); // [topK · tokens, numExperts]
    const place = sum(mul(sub(cumsum(inOrder, { axis: 0 }), 1), inOrder), { axes: 1 }); // [topK · tokens]
    const fits = cast(less(place, capacity), "float32");
    const places = mul(
      oneHot(cast(clip(place, { max: capacity - 1 }), "int32"), capacity),
      reshape(fits, [this.topK * count, 1]),
    ); // [topK · tokens, capacity]
    const routes = einsum("se,sc->sec", inOrder, places); // [topK · tokens, numExperts, capacity]
    const byChoice = reshape(routes, [this.topK, count, this.numExperts, capacity]);
    const sent = einsum("ktec,td->ecd", byChoice, tokens); // [numExperts, capacity, dim]
    const weighted = einsum("ktec,tk->tec", byChoice, shares); // [tokens, numExperts, capacity]
    const outputs = stack(unstack(sent).map((places, index) => this.experts[index].call(places)));
    return einsum("ecd,tec->td", outputs, weighted);
  }

  override multiplyAdds([x]: [x: Tensor]): number {
    return x.size * this.numExperts;
  }
}
