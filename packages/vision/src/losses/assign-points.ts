import { InputError } from "@ai/tensor";
import type { LabeledBox } from "../augment/sample.js";
import { boxArea } from "../postprocess/boxes.js";
import type { PointGrid } from "../postprocess/point-grid.js";

/** What the points of one picture should say. */
export interface PointTargets {
  /** `points · classes` values: 1 for the class of a point's object, −1 in all classes of a point that does not count. */
  readonly classes: Float32Array;
  /** `points · 4` distances in pixels; 1 where there is no object. */
  readonly distances: Float32Array;
  /** `points` values in (0, 1], 0 where there is no object. */
  readonly centerness: Float32Array;
  readonly numPositives: number;
}

/** Options of {@link assignPoints}. */
export interface AssignPointsOptions {
  readonly numClasses: number;
  /** Points farther than so many strides from an object's middle leave it alone. Default 1.5. */
  readonly radius?: number;
  /** Level `i` takes objects that reach at most `reach · strides[i]` pixels from a point, and at least what the level before takes. Default 8. */
  readonly reach?: number;
}

/**
 * Tells each point which object it answers for: one in whose middle it lies and whose size fits its level; of several the
 * smallest. Crowds and difficult objects keep the points inside from counting.
 * @throws InputError for a class out of range.
 */
export function assignPoints(
  boxes: readonly LabeledBox[],
  grid: PointGrid,
  { numClasses, radius = 1.5, reach = 8 }: AssignPointsOptions,
): PointTargets {
  const classes = new Float32Array(grid.count * numClasses);
  const distances = new Float32Array(grid.count * 4).fill(1);
  const centerness = new Float32Array(grid.count);
  for (const { label } of boxes)
    if (!(Number.isInteger(label) && label >= 0 && label < numClasses))
      throw new InputError(`assignPoints: expected classes below ${numClasses}, got ${label}`);
  const bySize = [...boxes].sort((a, b) => boxArea(a.box) - boxArea(b.box));
  const last = grid.strides.length - 1;
  let numPositives = 0;
  for (let point = 0; point < grid.count; point++) {
    const [x, y, level] = [grid.x[point], grid.y[point], grid.level[point]];
    const stride = grid.strides[level];
    const least = level === 0 ? 0 : reach * grid.strides[level - 1];
    const most = level === last ? Number.POSITIVE_INFINITY : reach * stride;
    for (const { box, label, isCrowd = false, isDifficult = false } of bySize) {
      const sides = [x - box[0], y - box[1], box[2] - x, box[3] - y];
      if (Math.min(...sides) <= 0) continue;
      if (isCrowd || isDifficult) {
        classes.fill(-1, point * numClasses, (point + 1) * numClasses);
        break;
      }
      const isMiddle =
        Math.abs(x - (box[0] + box[2]) / 2) < radius * stride &&
        Math.abs(y - (box[1] + box[3]) / 2) < radius * stride;
      const largest = Math.max(...sides);
      if (!isMiddle || largest < least || largest >= most) continue;
      const [left, top, right, bottom] = sides;
      const across = Math.min(left, right) / Math.max(left, right);
      const down = Math.min(top, bottom) / Math.max(top, bottom);
      classes[point * numClasses + label] = 1;
      distances.set(sides, point * 4);
      centerness[point] = Math.sqrt(across * down);
      numPositives++;
      break;
    }
  }
  return { classes, distances, centerness, numPositives };
}
