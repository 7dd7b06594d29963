import { Conv2d, Embedding, LayerNorm, Linear, Module } from "@ai/layers";
import { InputError, relu, reshape, sigmoid, type Tensor, tensor, zeros } from "@ai/tensor";
import type { DetectionModelParts } from "../detection-model.js";
import { assertImages } from "../image-model.js";
import { ResNetBackbone } from "../resnet/resnet.js";
import type { DetrConfig } from "./detr.config.js";
import { type DetrContext, DetrDecoderLayer, DetrEncoderLayer } from "./detr-layers.js";
import { FrozenBatchNorm2d } from "./frozen-batch-norm.js";
import { type PaddedSize, sinePositions } from "./sine-positions.js";

/** Options of a call of {@link Detr}. */
export interface DetrCallOptions {
  /** Height and width of each picture in a batch that is padded below and to the right. Default: no padding. */
  readonly sizes?: readonly PaddedSize[];
  /** Whether attention modules compute their weights, for hooks that read them. Default false, which is faster. */
  readonly attentionWeights?: boolean;
}

/** What {@link Detr} finds. */
export interface DetrOutput {
  /** `[batch, queries, classes + 1]` scores before the softmax; the last one is "no object". */
  readonly logits: Tensor;
  /** `[batch, queries, 4]` centre x, centre y, width and height, all in (0, 1) of the picture without its padding. */
  readonly boxes: Tensor;
}

/** Three linear layers with ReLU between. */
class BoxHead extends Module<[x: Tensor], Tensor> {
  readonly layers: readonly Linear[];

  constructor(dim: number) {
    super();
    this.layers = [new Linear(dim, dim), new Linear(dim, dim), new Linear(dim, 4)];
  }

  /** @param x `[batch, queries, dim]` @returns `[batch, queries, 4]` in (0, 1) */
  protected forward(x: Tensor): Tensor {
    const [first, second, last] = this.layers;
    return sigmoid(last.call(relu(second.call(relu(first.call(x))))));
  }
}

/**
 * Detection as the prediction of a set: a convolutional backbone, a Transformer over its cells, and queries that each find
 * an object or none; no anchors and no suppression of overlapping boxes. Names are Hugging Face's, with timm's backbone.
 * @see Carion et al. (2020), "End-to-end object detection with Transformers", https://arxiv.org/abs/2005.12872
 * @example
 * const model = new Detr(readDetrConfig(json)).eval();
 * const { logits, boxes } = model.call(images); // images [batch, height, width, 3], boxes [batch, 100, 4]
 */
export class Detr extends Module<[images: Tensor, options?: DetrCallOptions], DetrOutput> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    backbone: "model.backbone.conv_encoder.model",
    inputProjection: "model.input_projection",
    queries: "model.query_position_embeddings",
    encoderLayers: "model.encoder.layers",
    decoderLayers: "model.decoder.layers",
    decoderNorm: "model.decoder.layernorm",
    classifier: "class_labels_classifier",
    boxHead: "bbox_predictor",
  };
  readonly numChannels: number;
  readonly numClasses: number;
  readonly backbone: ResNetBackbone;
  readonly inputProjection: Conv2d;
  readonly queries: Embedding;
  readonly encoderLayers: readonly DetrEncoderLayer[];
  readonly decoderLayers: readonly DetrDecoderLayer[];
  readonly decoderNorm: LayerNorm;
  readonly classifier: Linear;
  readonly boxHead: BoxHead;
  /** Paths of the modules that read the number of classes. */
  readonly classifiers: readonly string[] = ["class_labels_classifier"];
  readonly parts: DetectionModelParts;

  /** @throws InputError for sizes out of range. */
  constructor(config: DetrConfig) {
    super();
    const { dim, numQueries, numClasses, dropout = 0.1, attentionDropout = 0 } = config;
    if (dim % 4 !== 0) throw new InputError(`Detr: expected a dim that 4 divides, got ${dim}`);
    this.numChannels = config.backbone.numChannels ?? 3;
    this.numClasses = numClasses;
    this.backbone = new ResNetBackbone(config.backbone, (channels) => new FrozenBatchNorm2d(channels));
    const { stages } = this.backbone;
    this.inputProjection = new Conv2d(stages[stages.length - 1].channels, dim, 1);
    this.queries = new Embedding(numQueries, dim);
    const shared = { dim, dropout, attentionDropout };
    this.encoderLayers = Array.from(
      { length: config.encoderLayers },
      () =>
        new DetrEncoderLayer({
          ...shared,
          numHeads: config.encoderHeads,
          feedForward: config.encoderFeedForward,
        }),
    );
    this.decoderLayers = Array.from(
      { length: config.decoderLayers },
      () =>
        new DetrDecoderLayer({
          ...shared,
          numHeads: config.decoderHeads,
          feedForward: config.decoderFeedForward,
        }),
    );
    this.decoderNorm = new LayerNorm(dim);
    this.classifier = new Linear(dim, numClasses + 1);
    this.boxHead = new BoxHead(dim);
    this.parts = {
      output: "queries",
      stages,
      gradCamLayer: "model.input_projection",
      attentionLayers: {
        encoder: this.encoderLayers.map((_, layer) => `model.encoder.layers.${layer}.self_attn`),
        decoder: this.decoderLayers.map((_, layer) => `model.decoder.layers.${layer}.encoder_attn`),
      },
      takesSizes: true,
    };
  }

  /**
   * @param images `[batch, height, width, numChannels]`
   * @returns scores and boxes of every query
   * @throws ShapeError for another rank or number of channels, InputError for sizes that do not fit the batch.
   */
  protected forward(images: Tensor, options: DetrCallOptions = {}): DetrOutput {
    assertImages(images, this.numChannels);
    const [batch, height, width]: readonly number[] = images.shape;
    const { sizes, attentionWeights: needsWeights = false } = options;
    if (sizes !== undefined) assertSizes(sizes, { batch, height, width });
    const dim = this.inputProjection.outChannels;
    const stages = this.backbone.call(images);
    const features = this.inputProjection.call(stages[stages.length - 1]); // [batch, rows, columns, dim]
    const [, rows, columns]: readonly number[] = features.shape;
    const whole = Array.from({ length: batch }, (): PaddedSize => [height, width]);
    const grid = sinePositions(sizes ?? whole, { image: [height, width], grid: [rows, columns], dim });
    const context: DetrContext = {
      positions: tensor(grid.positions, [batch, rows * columns, dim]),
      mask: grid.visible.includes(0) ? tensor(grid.visible, [batch, 1, 1, rows * columns]) : undefined,
      needsWeights,
    };
    const cells = reshape(features, [batch, rows * columns, dim]); // [batch, cells, dim]
    const memory = this.encoderLayers.reduce((x, layer) => layer.call(x, context), cells);
    const queries = reshape(this.queries.weight.value, [1, this.queries.numEmbeddings, dim]);
    const start = zeros([batch, this.queries.numEmbeddings, dim]);
    const decoded = this.decoderLayers.reduce((x, layer) => layer.call(x, queries, memory, context), start);
    const found = this.decoderNorm.call(decoded); // [batch, queries, dim]
    return { logits: this.classifier.call(found), boxes: this.boxHead.call(found) };
  }
}

function assertSizes(
  sizes: readonly PaddedSize[],
  { batch, height, width }: { readonly batch: number; readonly height: number; readonly width: number },
): void {
  const fits = ([down, across]: PaddedSize): boolean =>
    down > 0 && across > 0 && down <= height && across <= width;
  if (sizes.length !== batch || !sizes.every(fits))
    throw new InputError(
      `expected ${batch} sizes of at most ${height} by ${width}, got ${JSON.stringify(sizes)}`,
    );
}
