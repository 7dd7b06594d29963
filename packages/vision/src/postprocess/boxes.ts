import { InputError } from "@ai/tensor";
import type { Box } from "../preprocess/picture-transform.js";

/** An object that a detector found. */
export interface DetectedBox {
  /** Edges in pixels of the picture. */
  readonly box: Box;
  /** Class index. */
  readonly label: number;
  /** In (0, 1]. */
  readonly score: number;
}

/** An object that one place of a detector speaks for, before overlapping ones are suppressed. */
export interface BoxCandidate extends DetectedBox {
  /** The cell, query or point, counted as the output has them. */
  readonly source: number;
}

/** @throws InputError unless every box is four numbers, left and top not after right and bottom. */
export function assertBoxes(operation: string, boxes: readonly Box[]): void {
  if (!Array.isArray(boxes))
    throw new InputError(`${operation}: expected a list of boxes, got ${typeof boxes}`);
  boxes.forEach((box, index) => {
    const isBox = box?.length === 4 && box.every(Number.isFinite) && box[0] <= box[2] && box[1] <= box[3];
    if (!isBox)
      throw new InputError(
        `${operation}: expected boxes [left, top, right, bottom], got ${JSON.stringify(box)} at position ${index}`,
      );
  });
}

/** Area of a box. */
export function boxArea([left, top, right, bottom]: Box): number {
  return Math.max(0, right - left) * Math.max(0, bottom - top);
}

/** Area that two boxes share. */
export function boxIntersection(a: Box, b: Box): number {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  return width > 0 && height > 0 ? width * height : 0;
}

/** Intersection over union of two boxes, 0 for two boxes without area. */
export function boxIou(a: Box, b: Box): number {
  const shared = boxIntersection(a, b);
  const union = boxArea(a) + boxArea(b) - shared;
  return union > 0 ? shared / union : 0;
}

/**
 * Generalized intersection over union, in [−1, 1]: `iou − (hull − union) / hull` with the smallest box around both.
 * @see Rezatofighi et al. (2019), "Generalized intersection over union", https://arxiv.org/abs/1902.09630
 */
export function boxGiou(a: Box, b: Box): number {
  const hull = boxArea([
    Math.min(a[0], b[0]),
    Math.min(a[1], b[1]),
    Math.max(a[2], b[2]),
    Math.max(a[3], b[3]),
  ]);
  const shared = boxIntersection(a, b);
  const union = boxArea(a) + boxArea(b) - shared;
  if (hull === 0) return 0;
  return (union > 0 ? shared / union : 0) - (hull - union) / hull;
}

/**
 * Compares every box of one list with every box of another.
 * @returns row-major, `a.length` rows and `b.length` columns
 * @throws InputError for boxes that are none.
 * @example
 * const overlaps = pairwiseBoxes(found, wanted, boxIou);
 */
export function pairwiseBoxes(
  a: readonly Box[],
  b: readonly Box[],
  compare: (a: Box, b: Box) => number = boxIou,
): Float64Array {
  assertBoxes("pairwiseBoxes", a);
  assertBoxes("pairwiseBoxes", b);
  const result = new Float64Array(a.length * b.length);
  a.forEach((first, row) => {
    b.forEach((second, column) => {
      result[row * b.length + column] = compare(first, second);
    });
  });
  return result;
}

/** From centre, width and height to corners. */
export function boxFromCenter(
  x: number,
  y: number,
  size: { readonly width: number; readonly height: number },
): Box {
  return [x - size.width / 2, y - size.height / 2, x + size.width / 2, y + size.height / 2];
}
