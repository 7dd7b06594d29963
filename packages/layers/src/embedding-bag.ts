import {
  all,
  argMax,
  cast,
  div,
  equal,
  expandDims,
  gather,
  InputError,
  indexAdd,
  logicalOr,
  maximum,
  mul,
  notEqual,
  reshape,
  ShapeError,
  type Tensor,
  takeAlongAxis,
  tensor,
  where,
  zeros,
} from "@ai/tensor";
import { assertIntegers, assertOneOf, assertTensor, formatShape } from "./checks.js";
import { withoutRow } from "./embedding.js";
import { gatherRows, limitRows, type NormLimit, normLimit } from "./embedding-rows.js";
import { normal } from "./initializers.js";
import { Module } from "./module.js";
import { Parameter } from "./parameter.js";
import { assertOptionNames } from "./training/option-names.js";

/** Options of {@link EmbeddingBag}. */
export interface EmbeddingBagOptions {
  /** How the vectors of a bag become one. Default `"mean"`. */
  readonly mode?: "sum" | "mean" | "max";
  /** Id of padding: it counts for no bag. Negative ids count from the end. */
  readonly paddingIdx?: number;
  /** Whether `offsets` ends with the number of ids. Default false. */
  readonly includeLastOffset?: boolean;
  /** Largest norm of a row: a call shortens the rows that it reads and that are longer, in the table itself. Default: no limit. */
  readonly maxNorm?: number;
  /** The p of the p-norm that `maxNorm` is about. Default 2. */
  readonly normType?: number;
  /** Whether a row's gradient is divided by the number of places where its id stands in the call; not for `"max"`. Default false. */
  readonly scaleGradByFreq?: boolean;
}

/** Options of a call of {@link EmbeddingBag}. */
export interface EmbeddingBagCallOptions {
  /** Where each bag starts in a flat list of ids, ascending from 0. Required for ids `[count]`, refused for `[batch, length]`. */
  readonly offsets?: readonly number[] | Int32Array;
  /** Factor of each vector, the shape of the ids; mode `"sum"` only. */
  readonly perSampleWeights?: Tensor;
}

type Inputs = [ids: Tensor, options?: EmbeddingBagCallOptions];

/**
 * Sum, mean or maximum of the vectors of each bag of ids; zeros for an empty bag.
 *
 * Parameter: `weight` `[numEmbeddings, embeddingDim]` from N(0, 1).
 * @example
 * const bags = new EmbeddingBag(30000, 64, { mode: "mean", paddingIdx: 0 });
 * const x = bags.call(ids); // ids [batch, length] int32, x [batch, 64]
 * const y = bags.call(flat, { offsets: [0, 3, 7] }); // flat [count] int32, y [3, 64]
 */
export class EmbeddingBag extends Module<Inputs, Tensor> {
  readonly numEmbeddings: number;
  readonly embeddingDim: number;
  readonly mode: "sum" | "mean" | "max";
  readonly paddingIdx: number | undefined;
  readonly includeLastOffset: boolean;
  readonly maxNorm: number | undefined;
  /** Only of a limited table. */
  readonly normType: number | undefined;
  readonly scaleGradByFreq: boolean;
  /** May be replaced by another layer's, to share it. */
  weight: Parameter;
  readonly #limit: NormLimit | undefined;

  /** @throws InputError for sizes that are not integers in range, another mode, a `paddingIdx` outside the table or a norm out of range. */
  constructor(numEmbeddings: number, embeddingDim: number, options: EmbeddingBagOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, [
      "mode",
      "paddingIdx",
      "includeLastOffset?",
      "maxNorm",
      "normType",
      "scaleGradByFreq?",
    ]);
    const { mode = "mean", paddingIdx, includeLastOffset = false, scaleGradByFreq = false } = options;
    assertIntegers("EmbeddingBag", { numEmbeddings, embeddingDim });
    assertOneOf("EmbeddingBag", "mode", mode, ["sum", "mean", "max"]);
    if (
      paddingIdx !== undefined &&
      !(Number.isInteger(paddingIdx) && paddingIdx >= -numEmbeddings && paddingIdx < numEmbeddings)
    )
      throw new InputError(
        `EmbeddingBag: expected paddingIdx in [${-numEmbeddings}, ${numEmbeddings}), got ${paddingIdx}`,
      );
    this.numEmbeddings = numEmbeddings;
    this.embeddingDim = embeddingDim;
    this.mode = mode;
    this.paddingIdx = paddingIdx === undefined || paddingIdx >= 0 ? paddingIdx : paddingIdx + numEmbeddings;
    if (mode === "max" && scaleGradByFreq)
      throw new InputError('EmbeddingBag: expected scaleGradByFreq with "sum" or "mean", got mode "max"');
    this.includeLastOffset = includeLastOffset;
    this.#limit = normLimit("EmbeddingBag", options);
    this.maxNorm = this.#limit?.maxNorm;
    this.normType = this.#limit?.normType;
    this.scaleGradByFreq = scaleGradByFreq;
    this.weight = new Parameter([numEmbeddings, embeddingDim], {
      initializer: withoutRow(normal(), this.paddingIdx),
    });
  }

  /**
   * @param ids `[batch, length]`, or `[count]` with `offsets`, int32 in [0, numEmbeddings)
   * @returns `[bags, embeddingDim]`
   * @throws ShapeError or InputError for ids, offsets or weights that do not fit; KernelError for an id outside the table.
   */
  protected forward(...[ids, options]: Inputs): Tensor {
    if (options !== undefined) assertOptionNames("call", options, ["offsets", "perSampleWeights"]);
    assertTensor(ids, "ids");
    if (ids.dtype !== "int32") throw new InputError(`expected int32 ids, got ${ids.dtype}; cast them first`);
    const starts = this.#starts(ids, options?.offsets);
    if (this.#limit !== undefined) limitRows(this.weight, ids, this.#limit);
    const rows = this.#rows(ids, options?.perSampleWeights); // [count, embeddingDim]
    const flat = reshape(ids, [ids.size]);
    return this.mode === "max" ? this.#maxima(rows, flat, starts) : this.#sums(rows, flat, starts);
  }

  /** Where each bag starts, and the number of ids. */
  #starts(ids: Tensor, offsets: EmbeddingBagCallOptions["offsets"]): number[] {
    if (ids.shape.length === 2) {
      if (offsets !== undefined)
        throw new InputError("expected no offsets for ids [batch, length], got some; each row is a bag");
      const [batch, length]: readonly number[] = ids.shape;
      return Array.from({ length: batch + 1 }, (_, bag) => bag * length);
    }
    if (ids.shape.length !== 1)
      throw new ShapeError(`expected ids [batch, length] or [count], got ${formatShape(ids.shape)}`);
    if (!Array.isArray(offsets) && !(offsets instanceof Int32Array))
      throw new InputError(
        `expected offsets as an array of numbers for ids [count], got ${typeof offsets}; read() a tensor of them first`,
      );
    const starts = this.includeLastOffset ? [...offsets] : [...offsets, ids.size];
    const ascending = starts.every(
      (start, bag) => Number.isInteger(start) && start >= (starts[bag - 1] ?? 0),
    );
    if (starts.length === 0 || starts[0] !== 0 || !ascending || starts.at(-1) !== ids.size)
      throw new InputError(
        `expected offsets ascending from 0 to at most the ${ids.size} ids${this.includeLastOffset ? ", that number last" : ""}, got ${JSON.stringify([...offsets])}`,
      );
    return starts;
  }

  /** The vector of each id, weighed; the row of padding gets no gradient. @returns `[count, embeddingDim]` */
  #rows(ids: Tensor, weights: Tensor | undefined): Tensor {
    const { scaleGradByFreq } = this;
    const rows = gatherRows(this.weight.value, reshape(ids, [ids.size]), undefined, { scaleGradByFreq }); // [count, embeddingDim]
    if (weights === undefined) return rows;
    if (this.mode !== "sum")
      throw new InputError(`expected perSampleWeights with mode "sum" only, got mode "${this.mode}"`);
    assertTensor(weights, "perSampleWeights");
    if (formatShape(weights.shape) !== formatShape(ids.shape) || weights.dtype !== "float32")
      throw new ShapeError(
        `expected perSampleWeights ${formatShape(ids.shape)} float32, got ${formatShape(weights.shape)} ${weights.dtype}`,
      );
    return mul(rows, reshape(weights, [ids.size, 1]));
  }

  #sums(rows: Tensor, ids: Tensor, starts: readonly number[]): Tensor {
    const bags = starts.length - 1;
    const { paddingIdx } = this;
    const bagOf = Int32Array.from({ length: ids.size }, () => 0);
    for (let bag = 0; bag < bags; bag++) bagOf.fill(bag, starts[bag], starts[bag + 1]);
    const places = tensor(bagOf, [ids.size]);
    const counts = paddingIdx === undefined ? undefined : expandDims(notEqual(ids, paddingIdx), -1); // [count, 1]
    const counted = counts === undefined ? rows : where(counts, rows, 0);
    const sums = indexAdd(zeros([bags, this.embeddingDim]), places, counted); // [bags, embeddingDim]
    if (this.mode === "sum") return sums;
    const lengths =
      counts === undefined
        ? tensor(
            Float32Array.from({ length: bags }, (_, bag) => starts[bag + 1] - starts[bag]),
            [bags, 1],
          )
        : indexAdd(zeros([bags, 1]), places, cast(counts, "float32"));
    return div(sums, maximum(lengths, 1));
  }

  #maxima(rows: Tensor, ids: Tensor, starts: readonly number[]): Tensor {
    const bags = starts.length - 1;
    const longest = Math.max(1, ...starts.slice(1).map((end, bag) => end - starts[bag]));
    // zeros that still depend on the table: a gradient asks for that
    if (ids.size === 0) return indexAdd(zeros([bags, this.embeddingDim]), ids, rows);
    const inside = Array.from({ length: bags * longest }, (_, place) => {
      const [bag, step] = [Math.floor(place / longest), place % longest];
      return starts[bag] + step < starts[bag + 1] ? starts[bag] + step : -1;
    });
    const places = tensor(
      Int32Array.from(inside, (place) => Math.max(place, 0)),
      [bags, longest],
    );
    const absent = tensor(
      Uint8Array.from(inside, (place) => (place < 0 ? 1 : 0)),
      [bags, longest],
    );
    const hidden =
      this.paddingIdx === undefined ? absent : logicalOr(absent, equal(gather(ids, places), this.paddingIdx));
    const padded = where(expandDims(hidden, 2), Number.NEGATIVE_INFINITY, gather(rows, places)); // [bags, longest, embeddingDim]
    const empty = all(hidden, { axes: 1, keepDims: true }); // [bags, 1]
    // one place each: of equal numbers the first one alone has the gradient, as in PyTorch
    const highest = expandDims(argMax(padded, { axis: 1 }), 1); // [bags, 1, embeddingDim]
    const maxima = reshape(takeAlongAxis(padded, highest, { axis: 1 }), [bags, this.embeddingDim]);
    return where(empty, 0, maxima);
  }
}
