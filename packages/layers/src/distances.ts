import {
  type CosineSimilarityOptions,
  cosineSimilarity,
  InputError,
  type PairwiseDistanceOptions,
  pairwiseDistance,
  type Tensor,
} from "@ai/tensor";
import { assertTensor } from "./checks.js";
import { Module } from "./module.js";
import { assertOptionNames } from "./training/option-names.js";

type Pair = [first: Tensor, second: Tensor];

/**
 * Cosine of the angle between vectors: `Σ a·b / (max(‖a‖, ε) · max(‖b‖, ε))`, along the last axis unless `axis` says
 * otherwise. PyTorch's default axis 1 is the last one of `[batch, dim]` and of images channels last.
 */
export class CosineSimilarity extends Module<Pair, Tensor> {
  readonly axis: number;
  readonly epsilon: number;

  /** @throws InputError for an axis that is not whole or a negative epsilon. */
  constructor(options: CosineSimilarityOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["axis", "epsilon"]);
    const { axis = -1, epsilon = 1e-8 } = options;
    if (!Number.isInteger(axis))
      throw new InputError(`${new.target.name}: expected a whole axis, got ${String(axis)}`);
    this.axis = axis;
    this.epsilon = checkedEpsilon(new.target.name, epsilon);
  }

  /**
   * @param first `[..., dim]` @param second `[..., dim]`, the two broadcast
   * @returns `[...]`, the broadcast shape without the axis
   * @throws ShapeError for shapes that do not broadcast. @throws InputError for an axis out of range.
   */
  protected forward(...[first, second]: Pair): Tensor {
    assertTensor(first);
    assertTensor(second, "second input");
    return cosineSimilarity(first, second, { axis: this.axis, epsilon: this.epsilon });
  }
}

/** Distance of vectors: `‖a − b + ε‖` along the last axis. */
export class PairwiseDistance extends Module<Pair, Tensor> {
  readonly order: number;
  readonly epsilon: number;
  readonly keepDims: boolean;

  /** @throws InputError for an order that is no number or a negative epsilon. */
  constructor(options: PairwiseDistanceOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["order", "epsilon", "keepDims?"]);
    const { order = 2, epsilon = 1e-6, keepDims = false } = options;
    if (typeof order !== "number" || Number.isNaN(order))
      throw new InputError(`${new.target.name}: expected a number as order, got ${String(order)}`);
    this.order = order;
    this.epsilon = checkedEpsilon(new.target.name, epsilon);
    this.keepDims = keepDims;
  }

  /**
   * @param first `[..., dim]` @param second `[..., dim]`, the two broadcast
   * @returns `[...]`, or `[..., 1]` with `keepDims`
   * @throws ShapeError for shapes that do not broadcast.
   */
  protected forward(...[first, second]: Pair): Tensor {
    assertTensor(first);
    assertTensor(second, "second input");
    const { order, epsilon, keepDims } = this;
    return pairwiseDistance(first, second, { order, epsilon, keepDims });
  }
}

function checkedEpsilon(layer: string, epsilon: number): number {
  if (!(epsilon >= 0 && Number.isFinite(epsilon)))
    throw new InputError(`${layer}: expected a finite epsilon of at least 0, got ${String(epsilon)}`);
  return epsilon;
}
