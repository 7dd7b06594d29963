import { binaryCrossEntropyWithLogits, sigmoidFocalLoss } from "@ai/layers/training";
import {
  add,
  cast,
  div,
  greater,
  greaterEqual,
  InputError,
  maximum,
  mul,
  sub,
  sum,
  type Tensor,
  tensor,
  tidy,
} from "@ai/tensor";
import type { PointTargets } from "./assign-points.js";
import { distanceGiou } from "./giou.js";

/** Numbers of every point of a batch: what a detector says, or what it should. */
export interface PointTargetTensors {
  /** `[batch, points, classes]` */
  readonly classes: Tensor;
  /** `[batch, points, 4]` */
  readonly distances: Tensor;
  /** `[batch, points, 1]` */
  readonly centerness: Tensor;
}

/** Puts the targets of several pictures into tensors, which belong to the caller. @throws InputError for an empty batch. */
export function stackPointTargets(targets: readonly PointTargets[]): PointTargetTensors {
  if (targets.length === 0)
    throw new InputError("stackPointTargets: expected at least one picture, got none");
  const points = targets[0].centerness.length;
  const stackOf = (name: "classes" | "distances" | "centerness"): Tensor => {
    const width = targets[0][name].length / points;
    const values = new Float32Array(targets.length * points * width);
    targets.forEach((target, index) => {
      values.set(target[name], index * points * width);
    });
    return tensor(values, [targets.length, points, width]);
  };
  return { classes: stackOf("classes"), distances: stackOf("distances"), centerness: stackOf("centerness") };
}

/** The parts of {@link pointDetectorLoss}, all `[]`. */
export interface PointDetectorLoss {
  readonly total: Tensor;
  /** Focal loss of the classes, over the number of points with an object. */
  readonly classes: Tensor;
  /** `1 − GIoU` of the boxes, each by its centerness. */
  readonly boxes: Tensor;
  /** Binary cross-entropy of the centerness. */
  readonly centerness: Tensor;
}

/**
 * The loss of FCOS with GIoU: focal loss of the classes, boxes and centerness where a point has an object.
 * @param output What a {@link PointDetector} says. @param targets From {@link stackPointTargets}.
 * @returns the sum and its parts
 * @throws ShapeError when output and targets do not fit.
 */
export function pointDetectorLoss(
  output: PointTargetTensors,
  targets: PointTargetTensors,
): PointDetectorLoss {
  return tidy(() => {
    const counts = cast(greaterEqual(targets.classes, 0), "float32"); // [batch, points, classes]
    const wanted = maximum(targets.classes, 0);
    const hasObject = cast(greater(targets.centerness, 0), "float32"); // [batch, points, 1]
    const numPositives = maximum(sum(hasObject), 1);
    const focal = sigmoidFocalLoss(output.classes, wanted, { reduction: "none" });
    const classes = div(sum(mul(focal, counts)), numPositives);
    const giou = distanceGiou(output.distances, targets.distances); // [batch, points, 1]
    const weight = maximum(sum(targets.centerness), 1e-6);
    const boxes = div(sum(mul(sub(1, giou), targets.centerness)), weight);
    const entropy = binaryCrossEntropyWithLogits(output.centerness, targets.centerness, {
      reduction: "none",
    });
    const centerness = div(sum(mul(entropy, hasObject)), numPositives);
    return { total: add(add(classes, boxes), centerness), classes, boxes, centerness };
  });
}
