import {
  add,
  argMax,
  cast,
  concat,
  expandDims,
  greaterEqual,
  InputError,
  less,
  logicalAnd,
  logSoftmax,
  mean,
  narrow,
  neg,
  ShapeError,
  squeeze,
  sub,
  type Tensor,
  takeAlongAxis,
  tidy,
  where,
} from "@ai/tensor";
import { assertIntegers, assertShape, assertTensor, formatShape } from "./checks.js";
import { Sequential } from "./containers.js";
import { nameLayer } from "./layer-error.js";
import { Linear } from "./linear.js";
import { Module } from "./module.js";
import { assertOptionNames } from "./training/option-names.js";

/** Options of {@link AdaptiveLogSoftmaxWithLoss}. */
export interface AdaptiveLogSoftmaxOptions {
  /** Where the groups of rarer classes begin, ascending inside `(0, numClasses)`; classes are in order of frequency. */
  readonly cutoffs: readonly number[];
  /** By how much smaller the projection of each next group is. Default 4. */
  readonly divValue?: number;
  /** Whether the head has a bias. Default false. */
  readonly headBias?: boolean;
}

/** What {@link AdaptiveLogSoftmaxWithLoss} gives. */
export interface AdaptiveLogSoftmaxResult {
  /** `[batch]` log-probability of each target. */
  readonly output: Tensor;
  /** `[]` the negative of their mean. */
  readonly loss: Tensor;
}

/**
 * Log-softmax over very many classes with few weights: frequent classes have scores of their own in the head, groups of
 * rarer ones share an entry of the head and have scores behind a smaller projection. A call gives the targets'
 * log-probabilities and the loss; every group is computed for every row, so that shapes do not depend on the targets.
 *
 * Parameters, by PyTorch's names: `head.weight` `[cutoffs[0] + groups, inFeatures]`, and of group i
 * `tail.i.0.weight` `[inFeatures / divValue^(i + 1), inFeatures]`, `tail.i.1.weight` `[classes, …]`.
 * @see Grave, Joulin, Cissé, Grangier, Jégou (2017), "Efficient softmax approximation for GPUs", https://arxiv.org/abs/1609.04309
 * @example
 * const layer = new AdaptiveLogSoftmaxWithLoss(512, 50000, { cutoffs: [2000, 10000] });
 * const { loss } = layer.call(hidden, tokens); // [batch, 512], [batch] int32
 */
export class AdaptiveLogSoftmaxWithLoss extends Module<
  [x: Tensor, target: Tensor],
  AdaptiveLogSoftmaxResult
> {
  readonly inFeatures: number;
  readonly numClasses: number;
  readonly cutoffs: readonly number[];
  readonly head: Linear;
  readonly tail: readonly Sequential[];

  /** @throws InputError for sizes that are not whole, cutoffs that do not ascend inside the classes, or an unknown option. */
  constructor(inFeatures: number, numClasses: number, options: AdaptiveLogSoftmaxOptions) {
    super();
    const layer = new.target.name;
    assertOptionNames(layer, options, ["cutoffs", "divValue", "headBias?"]);
    const { cutoffs, divValue = 4, headBias = false } = options;
    assertIntegers(layer, { inFeatures, numClasses });
    const ascend =
      Array.isArray(cutoffs) &&
      cutoffs.length > 0 &&
      [...cutoffs, numClasses].every(
        (cutoff, index) => Number.isInteger(cutoff) && cutoff > (cutoffs[index - 1] ?? 0),
      );
    if (!ascend)
      throw new InputError(
        `${layer}: expected cutoffs that ascend between 0 and ${numClasses}, got ${JSON.stringify(cutoffs)}`,
      );
    const narrowest = Number.isFinite(divValue) ? Math.floor(inFeatures / divValue ** cutoffs.length) : 0;
    if (!(divValue > 0 && narrowest >= 1))
      throw new InputError(
        `${layer}: expected a divValue that leaves ${cutoffs.length} groups a projection of ${inFeatures} features, got ${String(divValue)}`,
      );
    this.inFeatures = inFeatures;
    this.numClasses = numClasses;
    this.cutoffs = [...cutoffs];
    this.head = new Linear(inFeatures, cutoffs[0] + cutoffs.length, { bias: headBias });
    this.tail = cutoffs.map((cutoff, index) => {
      const width = Math.floor(inFeatures / divValue ** (index + 1));
      const classes = (cutoffs[index + 1] ?? numClasses) - cutoff;
      return new Sequential(
        new Linear(inFeatures, width, { bias: false }),
        new Linear(width, classes, { bias: false }),
      );
    });
  }

  /**
   * @param x `[batch, inFeatures]` @param target `[batch]` int32 in `[0, numClasses)`
   * @returns `output` `[batch]` and `loss` `[]`
   * @throws ShapeError or InputError for inputs that do not fit. @throws KernelError for a target that is no class (on a GPU at the next read).
   */
  protected forward(...[x, target]: [x: Tensor, target: Tensor]): AdaptiveLogSoftmaxResult {
    assertShape(x, ["batch", "inFeatures"], this.inFeatures);
    assertTensor(target, "target");
    if (target.dtype !== "int32")
      throw new InputError(`expected an int32 target, got ${target.dtype}; cast it first`);
    if (target.shape.length !== 1 || target.shape[0] !== x.shape[0])
      throw new ShapeError(`expected a target [${x.shape[0]}], got ${formatShape(target.shape)}`);
    const [first] = this.cutoffs;
    const wanted = expandDims(target, 1); // [batch, 1]
    const { head, tail } = this.#scores(x);
    let entry = wanted;
    let output: Tensor | undefined;
    this.cutoffs.forEach((cutoff, group) => {
      const next = this.cutoffs[group + 1];
      const from = greaterEqual(wanted, cutoff);
      const inside = next === undefined ? from : logicalAnd(from, less(wanted, next));
      entry = where(inside, first + group, entry);
      const place = where(inside, sub(wanted, cutoff), 0);
      const rest = where(inside, takeAlongAxis(tail[group], place, { axis: 1 }), 0);
      output = output === undefined ? rest : add(output, rest);
    });
    const whole = add(takeAlongAxis(head, cast(entry, "int32"), { axis: 1 }), output as Tensor); // [batch, 1]
    const logProbabilities = squeeze(whole, { axes: 1 }); // [batch]
    return { output: logProbabilities, loss: neg(mean(logProbabilities)) };
  }

  /** Log-probabilities in the head and inside each group. */
  #scores(x: Tensor): { head: Tensor; tail: Tensor[] } {
    return {
      head: logSoftmax(this.head.call(x)), // [batch, cutoffs[0] + groups]
      tail: this.tail.map((group) => logSoftmax(group.call(x))), // [batch, classes] each
    };
  }

  /**
   * Log-probabilities of all classes.
   * @param x `[batch, inFeatures]`
   * @returns `[batch, numClasses]`
   * @throws ShapeError for another shape.
   */
  logProb(x: Tensor): Tensor {
    try {
      return tidy(() => {
        assertShape(x, ["batch", "inFeatures"], this.inFeatures);
        const { head, tail } = this.#scores(x);
        const [first] = this.cutoffs;
        const groups = tail.map((scores, group) =>
          add(scores, narrow(head, { axis: 1, start: first + group, length: 1 })),
        );
        return concat([narrow(head, { axis: 1, start: 0, length: first }), ...groups], { axis: 1 });
      });
    } catch (error) {
      throw nameLayer(error, this.constructor.name);
    }
  }

  /**
   * The likeliest class of each row.
   * @param x `[batch, inFeatures]`
   * @returns `[batch]` int32
   * @throws ShapeError for another shape.
   */
  predict(x: Tensor): Tensor {
    return tidy(() => argMax(this.logProb(x), { axis: 1 }));
  }
}
