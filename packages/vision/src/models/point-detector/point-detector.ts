import { Conv2d, GroupNorm, Module, Sequential, type TensorModule } from "@ai/layers";
import { concat, InputError, mul, relu, reshape, softplus, sub, type Tensor } from "@ai/tensor";
import type { DetectionModelParts } from "../detection-model.js";
import { FeaturePyramidNetwork } from "../feature-pyramid.js";
import { assertImages, type FeatureStage } from "../image-model.js";
import { ResNetBackbone } from "../resnet/resnet.js";
import type { PointDetectorConfig } from "./point-detector.config.js";

/** Classes start as improbable as this, since nearly all points are background: log(0.99 / 0.01). */
const PRIOR = Math.log(99);

/** What a {@link PointDetector} says of each point; points run through the pyramid's levels from fine to coarse, row by row. */
export interface PointDetectorOutput {
  /** `[batch, points, classes]` scores before the sigmoid. */
  readonly classes: Tensor;
  /** `[batch, points, 4]` distances from the point to the left, top, right and bottom edge in pixels, above 0. */
  readonly distances: Tensor;
  /** `[batch, points, 1]` score before the sigmoid of how near the middle of its object a point is. */
  readonly centerness: Tensor;
}

/** Convolutions that every level of the pyramid shares. */
class PointHead extends Module<[x: Tensor, stride: number], Tensor[]> {
  readonly tower: readonly TensorModule[];
  readonly classes: Conv2d;
  readonly distances: Conv2d;
  readonly centerness: Conv2d;

  constructor({ headChannels, headDepth, headGroups = 8, numClasses }: PointDetectorConfig) {
    super();
    const convolution = (channels: number): Conv2d => new Conv2d(headChannels, channels, 3, { padding: 1 });
    this.tower = Array.from(
      { length: headDepth },
      () => new Sequential(convolution(headChannels), new GroupNorm(headGroups, headChannels)),
    );
    this.classes = convolution(numClasses);
    this.distances = convolution(4);
    this.centerness = convolution(1);
  }

  /** @param x `[batch, rows, columns, headChannels]` @returns `[batch, rows · columns, …]` of classes, distances, centerness */
  protected forward(x: Tensor, stride: number): Tensor[] {
    const hidden = this.tower.reduce((features, layer) => relu(layer.call(features)), x);
    const [batch, rows, columns]: readonly number[] = x.shape;
    const answers = [
      sub(this.classes.call(hidden), PRIOR),
      mul(softplus(this.distances.call(hidden)), stride),
      this.centerness.call(hidden),
    ];
    return answers.map((answer) => reshape(answer, [batch, rows * columns, answer.shape[3] ?? 1])); // [batch, rows · columns, …]
  }
}

/**
 * A small one-stage detector without anchors, made to be trained from scratch: each point of three feature maps says which
 * class it lies in and how far the edges of its box are, as in FCOS. Backbone and pyramid have torchvision's names.
 * {@link assignPoints} and {@link pointDetectorLoss} train it, {@link decodePoints} turns its output into boxes.
 * @see Tian, Shen, Chen, He (2019), "FCOS: Fully convolutional one-stage object detection", https://arxiv.org/abs/1904.01355
 * @example
 * const model = new PointDetector({ ...POINT_DETECTOR_SMALL, numClasses: 3 });
 * const { classes } = model.call(images); // images [batch, 240, 320, 3], classes [batch, points, 3]
 */
export class PointDetector extends Module<[images: Tensor], PointDetectorOutput> {
  readonly numChannels: number;
  readonly numClasses: number;
  readonly backbone: ResNetBackbone;
  readonly pyramid: FeaturePyramidNetwork;
  readonly head: PointHead;
  /** Feature maps of the backbone that the pyramid reads. */
  readonly stages: readonly FeatureStage[];
  /** Paths of the modules that read the number of classes. */
  readonly classifiers: readonly string[] = ["head.classes"];
  readonly parts: DetectionModelParts;

  /** @throws InputError for sizes out of range, or fewer than two stages. */
  constructor(config: PointDetectorConfig) {
    super();
    this.numChannels = config.backbone.numChannels ?? 3;
    this.numClasses = config.numClasses;
    this.backbone = new ResNetBackbone(config.backbone);
    this.stages = this.backbone.stages
      .slice(1)
      .map((stage) => ({ ...stage, path: `backbone.${stage.path}` }));
    if (this.stages.length === 0)
      throw new InputError("PointDetector: expected a backbone of two stages or more, got one");
    this.pyramid = new FeaturePyramidNetwork(
      this.stages.map(({ channels }) => channels),
      config.headChannels,
    );
    this.head = new PointHead(config);
    this.parts = {
      output: "points",
      stages: this.stages,
      gradCamLayer: this.stages[this.stages.length - 1].path,
      attentionLayers: undefined,
      takesSizes: false,
    };
  }

  /**
   * @param images `[batch, height, width, numChannels]`
   * @returns what each point says; {@link pointGrid} tells where the points are
   * @throws ShapeError for another rank or number of channels.
   */
  protected forward(images: Tensor): PointDetectorOutput {
    assertImages(images, this.numChannels);
    const maps = this.pyramid.call(this.backbone.call(images).slice(1));
    const levels = maps.map((map, level) => this.head.call(map, this.stages[level].stride));
    const [classes, distances, centerness] = [0, 1, 2].map((answer) =>
      concat(
        levels.map((level) => level[answer]),
        { axis: 1 },
      ),
    ); // [batch, points, …]
    return { classes, distances, centerness };
  }
}
