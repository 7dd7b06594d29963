import {
  type AnyModule,
  Dropout,
  Embedding,
  Linear,
  LSTM,
  Module,
  MultiheadAttention,
  normal,
  Parameter,
  replaceModules,
  SinusoidalPositionalEncoding,
  TransformerEncoder,
  toLinearAttention,
} from "@ai/layers";
import { cast, div, equal, expandDims, logicalNot, mul, sum, type Tensor } from "@ai/tensor";

/** Words that know of each other: `x` `[batch, length, dim]` and what is padding, `[batch, length]` bool. */
type Encoder = Module<[x: Tensor, padding: Tensor], Tensor>;

/** Sizes of a {@link ReviewClassifier}. */
export interface ClassifierSizes {
  /** Words with an id; two more ids are for padding and for other words. */
  readonly vocabulary: number;
  readonly dim: number;
  readonly dropout: number;
}

const NUM_HEADS = 4;
const NUM_LAYERS = 2;

/** Embeds words, lets an encoder mix them, takes their mean and scores both classes. */
export class ReviewClassifier extends Module<[ids: Tensor], Tensor> {
  readonly embedding: Embedding;
  readonly encoder: Encoder | undefined;
  readonly dropout: Dropout;
  readonly head: Linear;

  /** @param encoder None: the mean of the words' vectors, a bag of embeddings. */
  constructor({ vocabulary, dim, dropout }: ClassifierSizes, encoder?: Encoder) {
    super();
    this.embedding = new Embedding(vocabulary + 2, dim, { paddingIdx: 0 });
    // of the size that encoders expect; PyTorch's own deviation of 1 drowns what they add
    this.embedding.weight = new Parameter([vocabulary + 2, dim], {
      initializer: normal({ standardDeviation: 0.1 }),
    });
    this.encoder = encoder;
    this.dropout = new Dropout(dropout);
    this.head = new Linear(dim, 2);
  }

  /** @param ids `[batch, length]` int32, 0 for padding @returns `[batch, 2]` scores of bad and good */
  protected forward(ids: Tensor): Tensor {
    const padding = equal(ids, 0); // [batch, length]
    const words = this.dropout.call(this.embedding.call(ids)); // [batch, length, dim]
    const mixed = this.encoder === undefined ? words : this.encoder.call(words, padding); // [batch, length, dim]
    const counts = expandDims(cast(logicalNot(padding), "float32"), 2); // [batch, length, 1]
    const mean = div(sum(mul(mixed, counts), { axes: 1 }), sum(counts, { axes: 1 })); // [batch, dim]
    return this.head.call(this.dropout.call(mean));
  }
}

/** An LSTM from both ends. */
export class RecurrentEncoder extends Module<[x: Tensor, padding: Tensor], Tensor> {
  readonly lstm: LSTM;

  constructor(dim: number) {
    super();
    this.lstm = new LSTM(dim, dim / 2, { bidirectional: true });
  }

  /** @param x `[batch, length, dim]` @param padding `[batch, length]` @returns `[batch, length, dim]` */
  protected forward(x: Tensor, padding: Tensor): Tensor {
    const lengths = sum(cast(logicalNot(padding), "int32"), { axes: 1 }); // [batch]
    return this.lstm.call(x, { lengths }).output;
  }
}

/** Positions and a stack of transformer layers. */
export class AttentionEncoder extends Module<[x: Tensor, padding: Tensor], Tensor> {
  readonly positions: SinusoidalPositionalEncoding;
  readonly layers: TransformerEncoder;

  constructor(dim: number, dropout: number) {
    super();
    this.positions = new SinusoidalPositionalEncoding(dim);
    this.layers = new TransformerEncoder(dim, NUM_HEADS, {
      numLayers: NUM_LAYERS,
      dimFeedforward: 2 * dim,
      dropout,
      activation: "gelu",
      normFirst: true,
      finalNorm: true,
    });
  }

  /** @param x `[batch, length, dim]` @param padding `[batch, length]` @returns `[batch, length, dim]` */
  protected forward(x: Tensor, padding: Tensor): Tensor {
    return this.layers.call(this.positions.call(x), { keyPaddingMask: padding });
  }
}

/** Puts linear attention into each place of attention. */
export function useLinearAttention(model: AnyModule): void {
  replaceModules(model, (module) => module instanceof MultiheadAttention, toLinearAttention);
}
