import {
  BatchNorm2d,
  Conv2d,
  convNormActivation,
  Linear,
  MaxPool2d,
  Module,
  Sequential,
  type TensorModule,
} from "@ai/layers";
import { add, InputError, mean, relu, type Tensor } from "@ai/tensor";
import { type FeatureStage, ImageModel, type ImageModelParts } from "../image-model.js";
import type { ResNetBackboneConfig, ResNetConfig } from "./resnet.config.js";

/** Makes the normalization that follows a convolution: batch norm, or the frozen one of detectors. */
export type NormalizationFactory = (channels: number) => TensorModule;

const batchNorm: NormalizationFactory = (channels) => new BatchNorm2d(channels);

interface BlockOptions {
  readonly stride: number;
  /** Whether a bottleneck's 1×1 convolution has the stride. */
  readonly early: boolean;
  readonly normalization: NormalizationFactory;
}

/** The shortcut of a block whose output has another shape than its input. */
function projection(inChannels: number, outChannels: number, { stride, normalization }: BlockOptions) {
  return inChannels === outChannels && stride === 1
    ? undefined
    : new Sequential(
        new Conv2d(inChannels, outChannels, 1, { stride, bias: false }),
        normalization(outChannels),
      );
}

/** Two 3×3 convolutions beside a shortcut. */
class BasicBlock extends Module<[x: Tensor], Tensor> {
  readonly conv1: Conv2d;
  readonly bn1: TensorModule;
  readonly conv2: Conv2d;
  readonly bn2: TensorModule;
  readonly downsample: Sequential | undefined;

  constructor(inChannels: number, outChannels: number, options: BlockOptions) {
    super();
    const { stride, normalization } = options;
    this.conv1 = new Conv2d(inChannels, outChannels, 3, { stride, padding: 1, bias: false });
    this.bn1 = normalization(outChannels);
    this.conv2 = new Conv2d(outChannels, outChannels, 3, { padding: 1, bias: false });
    this.bn2 = normalization(outChannels);
    this.downsample = projection(inChannels, outChannels, options);
  }

  /** @param x `[batch, height, width, inChannels]` @returns `[batch, height / stride, width / stride, outChannels]` */
  protected forward(x: Tensor): Tensor {
    const hidden = convNormActivation(x, { convolution: this.conv1, norm: this.bn1, activation: "relu" }); // [batch, height / stride, width / stride, outChannels]
    return relu(
      add(
        convNormActivation(hidden, { convolution: this.conv2, norm: this.bn2 }),
        this.downsample?.call(x) ?? x,
      ),
    );
  }
}

/** 1×1 to a quarter of the channels, 3×3, 1×1 back, beside a shortcut. */
class Bottleneck extends Module<[x: Tensor], Tensor> {
  readonly conv1: Conv2d;
  readonly bn1: TensorModule;
  readonly conv2: Conv2d;
  readonly bn2: TensorModule;
  readonly conv3: Conv2d;
  readonly bn3: TensorModule;
  readonly downsample: Sequential | undefined;

  constructor(inChannels: number, outChannels: number, options: BlockOptions) {
    super();
    const { stride, early, normalization } = options;
    const narrow = Math.floor(outChannels / 4);
    this.conv1 = new Conv2d(inChannels, narrow, 1, { stride: early ? stride : 1, bias: false });
    this.bn1 = normalization(narrow);
    this.conv2 = new Conv2d(narrow, narrow, 3, { stride: early ? 1 : stride, padding: 1, bias: false });
    this.bn2 = normalization(narrow);
    this.conv3 = new Conv2d(narrow, outChannels, 1, { bias: false });
    this.bn3 = normalization(outChannels);
    this.downsample = projection(inChannels, outChannels, options);
  }

  /** @param x `[batch, height, width, inChannels]` @returns `[batch, height / stride, width / stride, outChannels]` */
  protected forward(x: Tensor): Tensor {
    const reduced = convNormActivation(x, { convolution: this.conv1, norm: this.bn1, activation: "relu" });
    const hidden = convNormActivation(reduced, {
      convolution: this.conv2,
      norm: this.bn2,
      activation: "relu",
    }); // [batch, height / stride, width / stride, outChannels / 4]
    return relu(
      add(
        convNormActivation(hidden, { convolution: this.conv3, norm: this.bn3 }),
        this.downsample?.call(x) ?? x,
      ),
    );
  }
}

/**
 * The convolutional part of a {@link ResNet}: gives the feature map of every stage, from fine to coarse.
 * @example
 * const [, , , coarse] = new ResNetBackbone(RESNET_SIZES["resnet-18"]).call(images); // [batch, height / 32, width / 32, 512]
 */
export class ResNetBackbone extends Module<[images: Tensor], Tensor[]> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = { layers: "" };
  readonly conv1: Conv2d;
  readonly bn1: TensorModule;
  readonly pool = new MaxPool2d(3, { stride: 2, padding: 1 });
  /** `layer1`, `layer2` …, each a sequence of blocks. */
  readonly layers: Readonly<Record<string, Sequential>>;
  /** The feature maps that a call gives. */
  readonly stages: readonly FeatureStage[];

  /** @throws InputError for sizes out of range, or other than one depth for each stage. */
  constructor(config: ResNetBackboneConfig, normalization: NormalizationFactory = batchNorm) {
    super();
    const { numChannels = 3, embeddingSize = 64, block, hiddenSizes, depths } = config;
    if (
      depths.length !== hiddenSizes.length ||
      depths.some((depth) => !(Number.isInteger(depth) && depth > 0))
    )
      throw new InputError(
        `ResNet: expected a depth of at least 1 for each of ${hiddenSizes.length} stages, got [${depths.join(", ")}]`,
      );
    this.conv1 = new Conv2d(numChannels, embeddingSize, 7, { stride: 2, padding: 3, bias: false });
    this.bn1 = normalization(embeddingSize);
    const Block = block === "basic" ? BasicBlock : Bottleneck;
    const early = config.downsampleInBottleneck ?? false;
    const strideOf = (stage: number): number => (stage > 0 || config.downsampleInFirstStage ? 2 : 1);
    this.layers = Object.fromEntries(
      hiddenSizes.map((channels, stage) => {
        const before = stage === 0 ? embeddingSize : hiddenSizes[stage - 1];
        const blocks = Array.from({ length: depths[stage] }, (_, index) =>
          index === 0
            ? new Block(before, channels, { stride: strideOf(stage), early, normalization })
            : new Block(channels, channels, { stride: 1, early, normalization }),
        );
        return [`layer${stage + 1}`, new Sequential(...blocks)];
      }),
    );
    let stride = 4;
    this.stages = hiddenSizes.map((channels, stage) => {
      stride *= strideOf(stage);
      return { path: `layer${stage + 1}`, channels, stride };
    });
  }

  /**
   * @param images `[batch, height, width, numChannels]`
   * @returns one `[batch, height / stride, width / stride, channels]` for each stage
   * @throws ShapeError for another rank or number of channels.
   */
  protected forward(images: Tensor): Tensor[] {
    let x = this.pool.call(
      convNormActivation(images, { convolution: this.conv1, norm: this.bn1, activation: "relu" }),
    ); // [batch, height / 4, width / 4, embeddingSize]
    return Object.values(this.layers).map((layer) => {
      x = layer.call(x);
      return x;
    });
  }
}

/**
 * Residual network for pictures, with torchvision's names; {@link RESNET_FROM_HUGGING_FACE} maps Hugging Face's.
 * @see He, Zhang, Ren, Sun (2015), "Deep residual learning for image recognition", https://arxiv.org/abs/1512.03385
 * @example
 * const model = new ResNet({ ...RESNET_SIZES["resnet-50"], numClasses: 1000 }).eval();
 * const scores = model.call(images); // images [batch, 224, 224, 3], scores [batch, 1000]
 */
export class ResNet extends ImageModel {
  static override readonly checkpointNames: Readonly<Record<string, string>> = { backbone: "" };
  readonly numChannels: number;
  readonly backbone: ResNetBackbone;
  readonly fc: Linear;
  readonly parts: ImageModelParts;

  /** @throws InputError for sizes out of range. */
  constructor(config: ResNetConfig) {
    super();
    this.numChannels = config.numChannels ?? 3;
    this.backbone = new ResNetBackbone(config);
    const { stages } = this.backbone;
    const last = stages[stages.length - 1];
    this.fc = new Linear(last.channels, config.numClasses);
    this.parts = {
      stages,
      embeddingDim: last.channels,
      classifiers: ["fc"],
      gradCamLayer: last.path,
      attentionLayers: [],
      prefixTokens: 0,
    };
  }

  protected embed(images: Tensor): Tensor {
    const stages = this.backbone.call(images);
    return mean(stages[stages.length - 1], { axes: [1, 2] }); // [batch, embeddingDim]
  }

  protected classify(embedding: Tensor): Tensor {
    return this.fc.call(embedding);
  }
}
