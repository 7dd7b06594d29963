import { Dropout, Linear, Module } from "@ai/layers";
import {
  InputError,
  matMul,
  mul,
  reshape,
  scalar,
  scaledDotProductAttention,
  softmax,
  type Tensor,
  transpose,
  where,
} from "@ai/tensor";

/** What attention looks from, at, and takes. */
export interface AttentionInputs {
  /** `[batch, queries, dim]` */
  readonly query: Tensor;
  /** `[batch, keys, dim]` */
  readonly key: Tensor;
  /** `[batch, keys, dim]` */
  readonly value: Tensor;
  /** Bool `[batch, 1, 1, keys]`, true where a key is visible. Default all. */
  readonly mask?: Tensor;
  /** Whether to give the weights back, which is slower. Default false. */
  readonly needsWeights?: boolean;
}

/** What attention gives. */
export interface AttentionOutput {
  /** `[batch, queries, dim]` */
  readonly output: Tensor;
  /** `[batch, heads, queries, keys]`, undefined when not asked for. */
  readonly weights: Tensor | undefined;
}

/** Attention whose query, key, value and output projections are linear layers of their own, as in Hugging Face's checkpoints. */
export class ProjectedAttention extends Module<[inputs: AttentionInputs], AttentionOutput> {
  readonly query: Linear;
  readonly key: Linear;
  readonly value: Linear;
  readonly output: Linear;
  readonly numHeads: number;
  readonly dropout: Dropout;

  /** @throws InputError for heads that do not divide `dim`. */
  constructor(
    dim: number,
    numHeads: number,
    { bias = true, dropout = 0 }: { readonly bias?: boolean; readonly dropout?: number } = {},
  ) {
    super();
    if (!(Number.isInteger(numHeads) && numHeads > 0 && dim % numHeads === 0))
      throw new InputError(`${new.target.name}: expected heads that divide ${dim}, got ${numHeads}`);
    this.query = new Linear(dim, dim, { bias });
    this.key = new Linear(dim, dim, { bias });
    this.value = new Linear(dim, dim, { bias });
    this.output = new Linear(dim, dim);
    this.numHeads = numHeads;
    this.dropout = new Dropout(dropout);
  }

  /** @returns `output` `[batch, queries, dim]`, and `weights` `[batch, heads, queries, keys]` where asked for */
  protected forward({ query, key, value, mask, needsWeights = false }: AttentionInputs): AttentionOutput {
    const [q, k, v] = [this.query.call(query), this.key.call(key), this.value.call(value)].map((x) =>
      this.#splitHeads(x),
    ); // [batch, heads, length, headDim]
    if (!needsWeights) {
      const dropoutProbability = this.training ? this.dropout.probability : 0;
      const attended = scaledDotProductAttention(q, k, v, { mask, dropoutProbability });
      return { output: this.output.call(this.#joinHeads(attended)), weights: undefined };
    }
    const scores = mul(matMul(q, k, { transposeB: true }), 1 / Math.sqrt(q.shape[3] ?? 1)); // [batch, heads, queries, keys]
    const seen = mask === undefined ? scores : where(mask, scores, scalar(Number.NEGATIVE_INFINITY));
    const weights = softmax(seen);
    const attended = matMul(this.dropout.call(weights), v);
    return { output: this.output.call(this.#joinHeads(attended)), weights };
  }

  #splitHeads(x: Tensor): Tensor {
    const [batch, length, dim]: readonly number[] = x.shape;
    return transpose(reshape(x, [batch, length, this.numHeads, dim / this.numHeads]), [0, 2, 1, 3]); // [batch, heads, length, headDim]
  }

  #joinHeads(x: Tensor): Tensor {
    const [batch, heads, length, headDim]: readonly number[] = x.shape;
    return reshape(transpose(x, [0, 2, 1, 3]), [batch, length, heads * headDim]); // [batch, length, dim]
  }
}
