import { AvgPool2d, Module, ReLU, Sequential, Upsample } from "@ai/layers";
import { add, concat, InputError, relu, ShapeError, sigmoid, softmax, type Tensor } from "@ai/tensor";
import type { DetectionModelParts } from "../detection-model.js";
import { assertImages, type FeatureStage } from "../image-model.js";
import type { FastestDetConfig } from "./fastest-det.config.js";
import { convNorm, ShuffleNetBackbone } from "./shuffle-net.js";

/** A 1×1 convolution with batch norm and ReLU. */
class PointConvolution extends Module<[x: Tensor], Tensor> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = { layers: "conv1x1" };
  readonly layers: Sequential;

  constructor(inChannels: number, outChannels: number) {
    super();
    this.layers = new Sequential(...convNorm(inChannels, outChannels, 1), new ReLU());
  }

  /** @param x `[batch, height, width, inChannels]` @returns `[batch, height, width, outChannels]` */
  protected forward(x: Tensor): Tensor {
    return this.layers.call(x);
  }
}

/** A 5×5 depthwise convolution, then a 1×1 one, each with batch norm. */
class WideConvolution extends Module<[x: Tensor], Tensor> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = { layers: "conv5x5" };
  readonly layers: Sequential;

  constructor(inChannels: number, outChannels: number) {
    super();
    this.layers = new Sequential(
      ...convNorm(inChannels, inChannels, 5, { groups: inChannels }),
      new ReLU(),
      ...convNorm(inChannels, outChannels, 1),
    );
  }

  /** @param x `[batch, height, width, inChannels]` @returns `[batch, height, width, outChannels]` */
  protected forward(x: Tensor): Tensor {
    return this.layers.call(x);
  }
}

/** Sees a neighbourhood of 5, 9 and 13 cells at once. */
class SpatialPyramid extends Module<[x: Tensor], Tensor> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    input: "Conv1x1",
    small: "S1",
    middle: "S2",
    large: "S3",
  };
  readonly input: PointConvolution;
  readonly small: Sequential;
  readonly middle: Sequential;
  readonly large: Sequential;
  readonly output: Sequential;

  constructor(inChannels: number, channels: number) {
    super();
    const wide = (count: number): Sequential =>
      new Sequential(
        ...Array.from({ length: count }, () => [
          ...convNorm(channels, channels, 5, { groups: channels }),
          new ReLU(),
        ]).flat(),
      );
    this.input = new PointConvolution(inChannels, channels);
    this.small = wide(1);
    this.middle = wide(2);
    this.large = wide(3);
    this.output = new Sequential(...convNorm(3 * channels, channels, 1));
  }

  /** @param x `[batch, height, width, inChannels]` @returns `[batch, height, width, channels]` */
  protected forward(x: Tensor): Tensor {
    const hidden = this.input.call(x); // [batch, height, width, channels]
    const views = [this.small, this.middle, this.large].map((layers) => layers.call(hidden));
    return relu(add(hidden, this.output.call(concat(views, { axis: 3 }))));
  }
}

/** Objectness, box and class of every cell. */
class DetectHead extends Module<[x: Tensor], Tensor> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    input: "conv1x1",
    objectness: "obj_layers",
    box: "reg_layers",
    classes: "cls_layers",
  };
  readonly input: PointConvolution;
  readonly objectness: WideConvolution;
  readonly box: WideConvolution;
  readonly classes: WideConvolution;

  constructor(channels: number, numClasses: number) {
    super();
    this.input = new PointConvolution(channels, channels);
    this.objectness = new WideConvolution(channels, 1);
    this.box = new WideConvolution(channels, 4);
    this.classes = new WideConvolution(channels, numClasses);
  }

  /** @param x `[batch, rows, columns, channels]` @returns `[batch, rows, columns, 5 + classes]` */
  protected forward(x: Tensor): Tensor {
    const hidden = this.input.call(x);
    const parts = [
      sigmoid(this.objectness.call(hidden)),
      this.box.call(hidden),
      softmax(this.classes.call(hidden)),
    ];
    return concat(parts, { axis: 3 });
  }
}

/**
 * A small anchor-free detector on one grid of cells of 16 pixels: ShuffleNet v2, one pyramid of neighbourhoods, one head.
 * {@link decodeFastestDet} turns its output into boxes. Names as in dog-qiuqiu/FastestDet.
 * @see https://github.com/dog-qiuqiu/FastestDet
 * @example
 * const model = new FastestDet({ numClasses: 80 }).eval();
 * await model.load("fastestdet-coco.safetensors");
 * const cells = model.call(images); // images [batch, 352, 352, 3], cells [batch, 22, 22, 85]
 */
export class FastestDet extends Module<[images: Tensor], Tensor> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    pyramid: "SPP",
    head: "detect_head",
  };
  readonly numChannels: number;
  readonly numClasses: number;
  readonly backbone: ShuffleNetBackbone;
  readonly shrink = new AvgPool2d(3, { stride: 2, padding: 1 });
  readonly grow = new Upsample({ scaleFactor: 2, mode: "nearest" });
  readonly pyramid: SpatialPyramid;
  readonly head: DetectHead;
  /** Feature maps from fine to coarse. */
  readonly stages: readonly FeatureStage[];
  readonly parts: DetectionModelParts;

  /** @throws InputError for sizes out of range. */
  constructor(config: FastestDetConfig) {
    super();
    const { numChannels = 3, stemChannels = 24, headChannels = 96, numClasses } = config;
    const { stageChannels = [48, 96, 192], stageDepths = [4, 8, 4] } = config;
    if (stageChannels.length !== 3 || stageDepths.length !== 3)
      throw new InputError(
        `FastestDet: expected three stages, got ${stageChannels.length} sizes and ${stageDepths.length} depths`,
      );
    this.numChannels = numChannels;
    this.numClasses = numClasses;
    this.backbone = new ShuffleNetBackbone(numChannels, stemChannels, {
      channels: stageChannels,
      depths: stageDepths,
    });
    this.pyramid = new SpatialPyramid(
      stageChannels.reduce((total, channels) => total + channels, 0),
      headChannels,
    );
    this.head = new DetectHead(headChannels, numClasses);
    this.stages = stageChannels.map((channels, index) => ({
      path: `backbone.stage${index + 2}`,
      channels,
      stride: 8 * 2 ** index,
    }));
    this.parts = {
      output: "cells",
      stages: this.stages,
      gradCamLayer: "SPP",
      attentionLayers: undefined,
      takesSizes: false,
    };
  }

  /**
   * @param images `[batch, height, width, numChannels]` in [0, 1], height and width multiples of 32. The COCO weights want BGR.
   * @returns `[batch, height / 16, width / 16, 5 + classes]`: objectness in (0, 1), four raw box numbers, class probabilities
   * @throws ShapeError for another rank, number of channels or size.
   */
  protected forward(images: Tensor): Tensor {
    assertImages(images, this.numChannels);
    const [, height, width] = images.shape;
    if (height % 32 !== 0 || width % 32 !== 0)
      throw new ShapeError(
        `expected height and width that 32 divides, got ${height} and ${width}; resize the pictures`,
      );
    const [fine, middle, coarse] = this.backbone.call(images);
    const maps = [this.shrink.call(fine), middle, this.grow.call(coarse)]; // [batch, height / 16, width / 16, …]
    return this.head.call(this.pyramid.call(concat(maps, { axis: 3 })));
  }
}
