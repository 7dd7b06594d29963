import type { LoadableModel } from "@ai/layers/tasks";
import type { Tensor } from "@ai/tensor";
import type { DetrOutput } from "./detr/detr.js";
import type { FeatureStage } from "./image-model.js";
import type { PointDetectorOutput } from "./point-detector/point-detector.js";

/** What detectors give, by the name of the form. */
export interface DetectionOutputs {
  /** `[batch, rows, columns, 5 + classes]` of a grid, as {@link FastestDet} has it. */
  readonly cells: Tensor;
  /** Classes and boxes of queries, as {@link Detr} has them. */
  readonly queries: DetrOutput;
  /** Classes, distances and centerness of points, as {@link PointDetector} has them. */
  readonly points: PointDetectorOutput;
}

/** What a detector declares of itself, so that shared code (decoding, explaining) never asks which model it has. */
export interface DetectionModelParts {
  /** The form of its output. */
  readonly output: keyof DetectionOutputs;
  /** Feature maps that points lie on, from fine to coarse; read where the output is `points`. */
  readonly stages: readonly FeatureStage[];
  /** Path of the module whose output Grad-CAM weighs. */
  readonly gradCamLayer: string;
  /** Paths of the encoder's self-attention and of the queries' attention to the picture, in order; undefined without. */
  readonly attentionLayers:
    | { readonly encoder: readonly string[]; readonly decoder: readonly string[] }
    | undefined;
  /** Whether `call` takes `{ sizes }`, the heights and widths of pictures in a padded batch. */
  readonly takesSizes: boolean;
}

/** A detector of objects: a module whose output has one of the forms of {@link DetectionOutputs}. */
export interface DetectionModel extends LoadableModel {
  readonly parts: DetectionModelParts;
  /** Classes without the one for "no object". */
  readonly numClasses: number;
  /** @param images `[batch, height, width, channels]`, preprocessed as the weights want it. */
  call(
    images: Tensor,
    options?: { readonly sizes?: readonly (readonly [height: number, width: number])[] },
  ): DetectionOutputs[keyof DetectionOutputs];
}
