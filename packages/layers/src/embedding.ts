import { InputError, mul, type Tensor, tensor } from "@ai/tensor";
import { assertIntegers, assertTensor } from "./checks.js";
import { gatherRows, limitRows, type NormLimit, normLimit } from "./embedding-rows.js";
import { normal } from "./initializers.js";
import { Module } from "./module.js";
import { type Initializer, Parameter } from "./parameter.js";
import { assertOptionNames } from "./training/option-names.js";

/** Options of {@link Embedding}. */
export interface EmbeddingOptions {
  /** Id of padding: its row starts as zeros and gets no gradient. Negative ids count from the end. */
  readonly paddingIdx?: number;
  /**
   * Largest norm of a row. A call shortens the rows that it reads and that are longer, in the table itself, evaluation
   * included, as PyTorch does. Default: no limit.
   */
  readonly maxNorm?: number;
  /** The p of the p-norm that `maxNorm` is about. Default 2. */
  readonly normType?: number;
  /** Whether a row's gradient is divided by the number of places where its id stands in the call. Default false. */
  readonly scaleGradByFreq?: boolean;
}

/**
 * Table of vectors: row `id` for each id.
 *
 * Parameter: `weight` `[numEmbeddings, embeddingDim]` from N(0, 1).
 * @example
 * const layer = new Embedding(30000, 256, { paddingIdx: 0 });
 * const x = layer.call(ids); // ids [batch, length] int32, x [batch, length, 256]
 */
export class Embedding extends Module<[ids: Tensor], Tensor> {
  static override readonly quantizableWeights: RegExp | undefined = /^weight$/;
  readonly numEmbeddings: number;
  readonly embeddingDim: number;
  readonly paddingIdx: number | undefined;
  readonly maxNorm: number | undefined;
  /** Only of a limited table. */
  readonly normType: number | undefined;
  readonly scaleGradByFreq: boolean;
  /** May be replaced by another layer's, to share it. */
  weight: Parameter;
  readonly #limit: NormLimit | undefined;

  /** @throws InputError for sizes that are not integers in range, a `paddingIdx` outside the table or a norm out of range. */
  constructor(numEmbeddings: number, embeddingDim: number, options: EmbeddingOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["paddingIdx", "maxNorm", "normType", "scaleGradByFreq?"]);
    const { paddingIdx, scaleGradByFreq = false } = options;
    assertIntegers("Embedding", { numEmbeddings }, 1);
    assertIntegers("Embedding", { embeddingDim }, 0);
    if (
      paddingIdx !== undefined &&
      !(Number.isInteger(paddingIdx) && paddingIdx >= -numEmbeddings && paddingIdx < numEmbeddings)
    )
      throw new InputError(
        `Embedding: expected paddingIdx in [${-numEmbeddings}, ${numEmbeddings}), got ${paddingIdx}`,
      );
    this.numEmbeddings = numEmbeddings;
    this.embeddingDim = embeddingDim;
    this.paddingIdx = paddingIdx === undefined || paddingIdx >= 0 ? paddingIdx : paddingIdx + numEmbeddings;
    this.#limit = normLimit("Embedding", options);
    this.maxNorm = this.#limit?.maxNorm;
    this.normType = this.#limit?.normType;
    this.scaleGradByFreq = scaleGradByFreq;
    this.weight = new Parameter([numEmbeddings, embeddingDim], {
      initializer: withoutRow(normal(), this.paddingIdx),
    });
  }

  /**
   * @param ids `[...]` int32 in [0, numEmbeddings)
   * @returns `[..., embeddingDim]`
   * @throws InputError when the ids are not int32, or with `maxNorm` for a table that is not stored as float32 or is needed
   * as it is for a gradient; KernelError for an id outside the table.
   */
  protected forward(ids: Tensor): Tensor {
    assertTensor(ids, "ids");
    if (ids.dtype !== "int32") throw new InputError(`expected int32 ids, got ${ids.dtype}; cast them first`);
    if (this.#limit !== undefined) limitRows(this.weight, ids, this.#limit);
    const { paddingIdx, scaleGradByFreq } = this;
    return gatherRows(this.weight.value, ids, paddingIdx, { scaleGradByFreq }); // [..., embeddingDim]
  }
}

/** The same values with one row of zeros. @internal */
export function withoutRow(initializer: Initializer, row: number | undefined): Initializer {
  if (row === undefined) return initializer;
  return (shape, generator) => {
    const kept = Float32Array.from({ length: shape[0] }, (_, index) => (index === row ? 0 : 1));
    return mul(initializer(shape, generator), tensor(kept, [shape[0], 1]));
  };
}
