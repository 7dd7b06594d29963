import {
  Dropout,
  Embedding,
  GroupedQueryAttention,
  LayerNorm,
  LearnedPositionalEncoding,
  Linear,
  LinearAttention,
  Mamba,
  Module,
  normal,
  Parameter,
} from "@ai/layers";
import { add, gelu, type Tensor } from "@ai/tensor";

/** How the characters of a text learn of each other. */
export type MixerName = "attention" | "linear-attention" | "mamba";

/** Sizes of a {@link LanguageModel}. */
export interface LanguageModelOptions {
  readonly vocabSize: number;
  readonly dim: number;
  readonly numLayers: number;
  readonly numHeads: number;
  /** Characters that it can look back on. */
  readonly maxLength: number;
  /** Default `"attention"`. */
  readonly mixer?: MixerName;
  /** Share that is dropped behind each part in training. Default 0. */
  readonly dropout?: number;
}

type Mixer = Module<[x: Tensor], Tensor>;

/** Deviation of the embeddings at the start, GPT-2's. */
const EMBEDDING_DEVIATION = 0.02;

/**
 * A language model of GPT's kind: embeddings, blocks that mix positions and then channels, a norm, scores of the next
 * character. Every part is one of `@ai/layers`.
 * @see Radford et al. (2019), "Language models are unsupervised multitask learners"
 */
export class LanguageModel extends Module<[ids: Tensor], Tensor> {
  readonly tokens: Embedding;
  readonly positions: LearnedPositionalEncoding | undefined;
  readonly blocks: readonly Block[];
  readonly norm: LayerNorm;
  readonly head: Linear;

  constructor(options: LanguageModelOptions) {
    super();
    const { vocabSize, dim, numLayers, numHeads, maxLength, mixer = "attention", dropout = 0 } = options;
    this.tokens = new Embedding(vocabSize, dim);
    const initializer = normal({ standardDeviation: EMBEDDING_DEVIATION });
    this.tokens.weight = new Parameter([vocabSize, dim], { initializer });
    // attention has rotary positions; a state space knows the order of what it read
    this.positions = mixer === "linear-attention" ? new LearnedPositionalEncoding(maxLength, dim) : undefined;
    this.blocks = Array.from(
      { length: numLayers },
      () => new Block(dim, makeMixer(mixer, dim, numHeads), dropout),
    );
    this.norm = new LayerNorm(dim);
    this.head = new Linear(dim, vocabSize);
  }

  /**
   * @param ids `[batch, length]` int32 in [0, vocab)
   * @returns `[batch, length, vocab]` scores of the character behind each position
   */
  protected forward(ids: Tensor): Tensor {
    let x = this.tokens.call(ids); // [batch, length, dim]
    if (this.positions !== undefined) x = this.positions.call(x);
    for (const block of this.blocks) x = block.call(x);
    return this.head.call(this.norm.call(x)); // [batch, length, vocab]
  }
}

/** `x + mix(norm(x))`, then `x + feedForward(norm(x))`. */
class Block extends Module<[x: Tensor], Tensor> {
  readonly norm1: LayerNorm;
  readonly mixer: Mixer;
  readonly norm2: LayerNorm;
  readonly linear1: Linear;
  readonly linear2: Linear;
  readonly dropout: Dropout;

  constructor(dim: number, mixer: Mixer, dropout: number) {
    super();
    // a state space has as many parameters as attention and half a feed-forward part
    const hidden = mixer instanceof Mamba ? 2 * dim : 4 * dim;
    this.norm1 = new LayerNorm(dim);
    this.mixer = mixer;
    this.norm2 = new LayerNorm(dim);
    this.linear1 = new Linear(dim, hidden);
    this.linear2 = new Linear(hidden, dim);
    this.dropout = new Dropout(dropout);
  }

  /** @param x `[batch, length, dim]` @returns `[batch, length, dim]` */
  protected forward(x: Tensor): Tensor {
    const mixed = add(x, this.dropout.call(this.mixer.call(this.norm1.call(x))));
    const hidden = gelu(this.linear1.call(this.norm2.call(mixed))); // [batch, length, hidden]
    return add(mixed, this.dropout.call(this.linear2.call(hidden)));
  }
}

/** Attention with rotary positions that sees what came before. */
class CausalAttention extends Module<[x: Tensor], Tensor> {
  readonly attention: GroupedQueryAttention;

  constructor(dim: number, numHeads: number) {
    super();
    this.attention = new GroupedQueryAttention(dim, numHeads);
  }

  /** @param x `[batch, length, dim]` @returns `[batch, length, dim]` */
  protected forward(x: Tensor): Tensor {
    return this.attention.call(x).output;
  }
}

/** Attention without softmax that sees what came before. */
class CausalLinearAttention extends Module<[x: Tensor], Tensor> {
  readonly attention: LinearAttention;

  constructor(dim: number, numHeads: number) {
    super();
    this.attention = new LinearAttention(dim, numHeads, { bias: false });
  }

  /** @param x `[batch, length, dim]` @returns `[batch, length, dim]` */
  protected forward(x: Tensor): Tensor {
    return this.attention.call(x, { isCausal: true });
  }
}

function makeMixer(name: MixerName, dim: number, numHeads: number): Mixer {
  switch (name) {
    case "attention":
      return new CausalAttention(dim, numHeads);
    case "linear-attention":
      return new CausalLinearAttention(dim, numHeads);
    case "mamba":
      return new Mamba(dim);
  }
}
