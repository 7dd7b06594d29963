import { add, concat, div, maximum, minimum, mul, narrow, relu, sub, type Tensor } from "@ai/tensor";

/** The four numbers of boxes, each `[..., 1]`. */
function sidesOf(boxes: Tensor): Tensor[] {
  return [0, 1, 2, 3].map((start) => narrow(boxes, { axis: -1, start, length: 1 }));
}

/** `iou − (hull − union) / hull` from areas, all of one shape. */
function giouOf(shared: Tensor, areas: Tensor, hull: Tensor): Tensor {
  const union = maximum(sub(areas, shared), EPSILON);
  return sub(div(shared, union), div(sub(hull, union), maximum(hull, EPSILON)));
}

const EPSILON = 1e-7;

/**
 * Generalized intersection over union of boxes given by distances from a common point, differentiable.
 * @param a `[..., 4]` distances to the left, top, right and bottom edge, above 0. @param b `[..., 4]`
 * @returns `[..., 1]` in [−1, 1]
 * @see Rezatofighi et al. (2019), "Generalized intersection over union", https://arxiv.org/abs/1902.09630
 */
export function distanceGiou(a: Tensor, b: Tensor): Tensor {
  const flip = (boxes: Tensor): Tensor => {
    const [left, top, right, bottom] = sidesOf(boxes);
    return concat([sub(0, left), sub(0, top), right, bottom], { axis: -1 });
  };
  return pairedGiou(flip(a), flip(b));
}

/**
 * Generalized intersection over union of each box with its counterpart, differentiable.
 * @param a `[..., 4]` left, top, right and bottom. @param b `[..., 4]`
 * @returns `[..., 1]` in [−1, 1]
 */
export function pairedGiou(a: Tensor, b: Tensor): Tensor {
  const [left, top, right, bottom] = sidesOf(a);
  const [otherLeft, otherTop, otherRight, otherBottom] = sidesOf(b);
  const width = relu(sub(minimum(right, otherRight), maximum(left, otherLeft)));
  const height = relu(sub(minimum(bottom, otherBottom), maximum(top, otherTop)));
  const area = mul(sub(right, left), sub(bottom, top));
  const otherArea = mul(sub(otherRight, otherLeft), sub(otherBottom, otherTop));
  const hull = mul(
    sub(maximum(right, otherRight), minimum(left, otherLeft)),
    sub(maximum(bottom, otherBottom), minimum(top, otherTop)),
  );
  return giouOf(mul(width, height), add(area, otherArea), hull);
}
