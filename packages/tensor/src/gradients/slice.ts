import type { Tensor } from "@tensorflow/tfjs-core";
import type { GradientContext } from "../kernels/define-kernel.js";
import { type PlaceAttributes, place, type StridedSliceAttributes, takeStrided } from "../ops/slice.js";

export function stridedSliceGradient({
  dy,
  shapes,
  attrs,
}: GradientContext<{ x: Tensor }, StridedSliceAttributes>) {
  return { x: () => place(dy, { shape: shapes.x, begin: attrs.begin, strides: attrs.strides, value: 0 }) };
}

export function placeGradient({ dy, shapes, attrs }: GradientContext<{ x: Tensor }, PlaceAttributes>) {
  return { x: () => takeStrided(dy, { begin: attrs.begin, strides: attrs.strides, size: shapes.x }) };
}
