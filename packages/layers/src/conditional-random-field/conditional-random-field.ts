import {
  add,
  cast,
  div,
  expandDims,
  gather,
  grad,
  greater,
  InputError,
  linearChainLogPartition,
  max,
  maximum,
  mean,
  mul,
  narrow,
  read,
  reshape,
  ShapeError,
  squeeze,
  stopGradient,
  sub,
  sum,
  type Tensor,
  takeAlongAxis,
  tensor,
  tidy,
  where,
} from "@ai/tensor";
import { assertIntegers, assertOneOf, assertTensor, formatShape } from "../checks.js";
import { uniform } from "../initializers.js";
import { nameLayer } from "../layer-error.js";
import { Module } from "../module.js";
import { Parameter } from "../parameter.js";
import { assertOptionNames } from "../training/option-names.js";
import { type CompactSteps, compactSteps, type StepOptions } from "./steps.js";
import { assertConstraints, type TagConstraints } from "./tag-constraints.js";
import { bestSequence, type ChainScores } from "./viterbi.js";

/** Options of {@link ConditionalRandomField}. */
export interface ConditionalRandomFieldOptions {
  /** Tags and pairs of tags that may occur; the others have probability 0. Default: all. */
  readonly constraints?: TagConstraints;
}

/** Which steps of a batch count: see {@link ConditionalRandomField}. */
export type ConditionalRandomFieldSteps = StepOptions;

/** Options of a call of {@link ConditionalRandomField}. */
export interface ConditionalRandomFieldCallOptions extends StepOptions {
  /**
   * `"sum"` (default) over the batch, `"mean"` over the batch, `"tokenMean"`: the sum divided by the number of steps that
   * count, or `"none"`: one value an item.
   */
  readonly reduction?: "sum" | "mean" | "tokenMean" | "none";
}

/** What {@link ConditionalRandomField.decode} gives. */
export interface DecodedTags {
  /** The best tags of each item, one for each of its steps that count. */
  readonly tags: number[][];
  /** Their scores, before normalization. */
  readonly scores: number[];
}

/** Stands in for −∞ where a largest value is looked for. */
const LOWEST = -3e38;

/**
 * A linear-chain conditional random field: `p(y | x) = exp(score(y)) / Σ exp(score(y′))` over all sequences of one tag a step,
 * `score(y) = start[y₁] + Σₜ emissions[t, yₜ] + Σₜ transitions[yₜ₋₁, yₜ] + end[y_last]`. A call gives the log-likelihood of
 * given tags (its negative is the loss); {@link decode} finds the best tags, {@link marginals} each tag's probability.
 *
 * Parameters, by the names of pytorch-crf, from U(±0.1): `start_transitions`, `end_transitions` `[numTags]`,
 * `transitions` `[numTags, numTags]` from (row) to (column). What constraints forbid has probability 0 in all three
 * methods, whatever its parameter is; tags that break them have the log-likelihood −∞.
 *
 * Sequences of no step are legal: log-likelihood 0, no tags. Emissions and tags that do not count are not read; a mask
 * may have holes (only the first piece of every word), which then are as if those steps were not there.
 * @see Lafferty, McCallum, Pereira (2001), "Conditional random fields"; Lample et al. (2016), "Neural architectures for
 * named entity recognition", https://arxiv.org/abs/1603.01360, section 2.2
 * @example
 * const crf = new ConditionalRandomField(5);
 * const loss = neg(crf.call(emissions, tags, { lengths, reduction: "mean" })); // [batch, length, 5], [batch, length]
 * const { tags: best } = await crf.decode(emissions, { lengths });
 */
export class ConditionalRandomField extends Module<
  [emissions: Tensor, tags: Tensor, options?: ConditionalRandomFieldCallOptions],
  Tensor
> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    startTransitions: "start_transitions",
    endTransitions: "end_transitions",
  };
  readonly numTags: number;
  readonly constraints: TagConstraints | undefined;
  readonly startTransitions: Parameter;
  readonly endTransitions: Parameter;
  readonly transitions: Parameter;

  /** @throws InputError for a number of tags below 1, constraints that do not fit it or an unknown option. */
  constructor(numTags: number, options: ConditionalRandomFieldOptions = {}) {
    super();
    const layer = new.target.name;
    assertOptionNames(layer, options, ["constraints"]);
    assertIntegers(layer, { numTags });
    if (options.constraints !== undefined) assertConstraints(layer, options.constraints, numTags);
    const initializer = uniform({ min: -0.1, max: 0.1 });
    this.numTags = numTags;
    this.constraints = options.constraints;
    this.startTransitions = new Parameter([numTags], { initializer });
    this.endTransitions = new Parameter([numTags], { initializer });
    this.transitions = new Parameter([numTags, numTags], { initializer });
  }

  /**
   * @param emissions `[batch, length, numTags]` score of each tag at each step @param tags `[batch, length]` int32
   * @returns the log-likelihood: a scalar, or `[batch]` with reduction `"none"`
   * @throws ShapeError or InputError for inputs or options that do not fit; KernelError for a tag that is none.
   */
  protected forward(
    emissions: Tensor,
    tags: Tensor,
    options: ConditionalRandomFieldCallOptions = {},
  ): Tensor {
    assertOptionNames("call", options, ["lengths", "mask", "reduction"]);
    const { reduction = "sum" } = options;
    assertOneOf("call", "reduction", reduction, ["sum", "mean", "tokenMean", "none"]);
    const steps = compactSteps(emissions, options, this.numTags);
    assertTags(tags, emissions);
    // both terms relative to each step's best tag: what they have in common would cost digits
    const relative = { ...steps, emissions: relativeToBest(steps.emissions) };
    const scores = this.#scores();
    const total = linearChainLogPartition(relative.emissions, scores.transitions, {
      start: scores.start,
      end: scores.end,
      lengths: steps.lengths,
    });
    const likelihood = sub(scoreOf(relative, steps.compact(tags), scores), total); // [batch]
    if (reduction === "none") return likelihood;
    if (reduction === "mean") return mean(likelihood);
    if (reduction === "sum") return sum(likelihood);
    return div(sum(likelihood), maximum(cast(sum(steps.lengths), "float32"), 1));
  }

  /**
   * Probability of each tag at each step given all emissions, by the forward-backward algorithm.
   * @param emissions `[batch, length, numTags]`
   * @returns `[batch, length, numTags]`, 0 at steps that do not count
   * @throws ShapeError or InputError for inputs or options that do not fit.
   */
  marginals(emissions: Tensor, options: ConditionalRandomFieldSteps = {}): Tensor {
    return this.#named(() =>
      tidy(() => {
        assertOptionNames("marginals", options, ["lengths", "mask"]);
        const { emissions: given, lengths, spread } = compactSteps(emissions, options, this.numTags);
        if (given.size === 0) return spread(given);
        const { transitions, start, end } = this.#scores();
        const total = (x: Tensor): Tensor =>
          sum(linearChainLogPartition(x, transitions, { start, end, lengths }));
        return spread(grad(total, [given])[0]);
      }),
    );
  }

  /**
   * The most probable tags, by the Viterbi algorithm, on the host in double precision.
   * @param emissions `[batch, length, numTags]`
   * @throws ShapeError or InputError for inputs or options that do not fit, emissions that are NaN, or constraints under which no sequence is possible.
   * @see Viterbi (1967), https://doi.org/10.1109/TIT.1967.1054010
   */
  async decode(emissions: Tensor, options: ConditionalRandomFieldSteps = {}): Promise<DecodedTags> {
    const held = this.#named(() =>
      tidy(() => {
        assertOptionNames("decode", options, ["lengths", "mask"]);
        const steps = compactSteps(emissions, options, this.numTags);
        const { transitions, start, end } = this.#scores();
        return [steps.emissions, steps.lengths, transitions, start, end].map((each) =>
          reshape(each, each.shape),
        );
      }),
    );
    try {
      const [values, lengths, transitions, start, end] = await Promise.all(held.map(read));
      const [, length, numTags]: readonly number[] = emissions.shape;
      const scores = { transitions, start, end } as ChainScores;
      const best = Array.from(lengths, (count, item) => {
        const rows = Array.from({ length: count }, (_, step) => {
          const offset = (item * length + step) * numTags;
          return values.subarray(offset, offset + numTags) as Float32Array;
        });
        return this.#named(() => bestSequence(rows, scores));
      });
      return { tags: best.map(({ tags }) => tags), scores: best.map(({ score }) => score) };
    } finally {
      for (const each of held) each.dispose();
    }
  }

  /** The parameters, −∞ where the constraints forbid. */
  #scores(): { transitions: Tensor; start: Tensor; end: Tensor } {
    if (!this.transitions.hasValue) this.parameters();
    const [transitions, start, end] = [this.transitions, this.startTransitions, this.endTransitions].map(
      ({ value }) => value,
    );
    if (this.constraints === undefined) return { transitions, start, end };
    const allow = (allowed: TagConstraints["start"] | TagConstraints["transitions"], x: Tensor): Tensor =>
      where(tensor(allowed as boolean[]), x, Number.NEGATIVE_INFINITY);
    return {
      transitions: allow(this.constraints.transitions, transitions),
      start: allow(this.constraints.start, start),
      end: allow(this.constraints.end, end),
    };
  }

  /** As a call names its layer in errors. */
  #named<T>(compute: () => T): T {
    try {
      return compute();
    } catch (error) {
      throw nameLayer(error, this.constructor.name);
    }
  }

  override multiplyAdds([emissions]: [emissions: Tensor, ...unknown[]]): number {
    return emissions.size * this.numTags;
  }
}

function assertTags(tags: Tensor, emissions: Tensor): void {
  assertTensor(tags, "tags");
  if (tags.dtype !== "int32") throw new InputError(`expected int32 tags, got ${tags.dtype}; cast them first`);
  const expected = emissions.shape.slice(0, 2);
  if (tags.shape.length !== 2 || tags.shape.some((size, axis) => size !== expected[axis]))
    throw new ShapeError(`expected tags ${formatShape(expected)}, got ${formatShape(tags.shape)}`);
}

/** Each step without its largest score, as a constant. @param emissions `[batch, length, tags]` */
function relativeToBest(emissions: Tensor): Tensor {
  const best = stopGradient(max(emissions, { axes: 2, keepDims: true })); // [batch, length, 1]
  return sub(emissions, where(greater(best, LOWEST), best, 0));
}

/** The score of given tags `[batch, length]`. @returns `[batch]` */
function scoreOf(
  { emissions, lengths, inside }: CompactSteps,
  given: Tensor,
  { transitions, start, end }: { transitions: Tensor; start: Tensor; end: Tensor },
): Tensor {
  const [batch, length, numTags]: readonly number[] = emissions.shape;
  if (length === 0) return sum(emissions, { axes: [1, 2] }); // [batch]
  const tags = where(inside, given, 0); // [batch, length]
  const taken = squeeze(takeAlongAxis(emissions, expandDims(tags, 2), { axis: 2 }), { axes: 2 }); // [batch, length]
  const some = reshape(narrow(inside, { axis: 1, start: 0, length: 1 }), [batch]);
  const last = takeAlongAxis(tags, expandDims(maximum(sub(lengths, 1), 0), 1), { axis: 1 }); // [batch, 1]
  const first = narrow(tags, { axis: 1, start: 0, length: 1 }); // [batch, 1]
  const ends = add(gather(start, reshape(first, [batch])), gather(end, reshape(last, [batch])));
  const score = add(sum(where(inside, taken, 0), { axes: 1 }), where(some, ends, 0)); // [batch]
  if (length === 1) return score;
  const [before, after, both] = [
    narrow(tags, { axis: 1, start: 0, length: length - 1 }),
    narrow(tags, { axis: 1, start: 1, length: length - 1 }),
    narrow(inside, { axis: 1, start: 1, length: length - 1 }),
  ];
  const pairs = gather(reshape(transitions, [numTags * numTags]), add(mul(before, numTags), after)); // [batch, length − 1]
  return add(score, sum(where(both, pairs, 0), { axes: 1 }));
}
