import type { GradientContext } from "../kernels/define-kernel.js";
import { sumToShape, type UnaryInputs } from "../ops/broadcast.js";
import { sum } from "../ops/reduce.js";
import { flip, reshape, transpose } from "../ops/shape-ops.js";
import { sizeOf } from "../shape.js";

export function reshapeGradient({ dy, shapes }: GradientContext<UnaryInputs, { shape: number[] }>) {
  return { x: () => reshape(dy, shapes.x) };
}

export function broadcastGradient({ dy, shapes }: GradientContext<UnaryInputs, { shape: number[] }>) {
  return { x: () => sumToShape(dy, shapes.x) };
}

export function transposeGradient({ dy, attrs }: GradientContext<UnaryInputs, { permutation: number[] }>) {
  return {
    x: () =>
      transpose(
        dy,
        attrs.permutation.map((_, axis) => attrs.permutation.indexOf(axis)),
      ),
  };
}

export function reverseGradient({ dy, attrs }: GradientContext<UnaryInputs, { axes: number[] }>) {
  return { x: () => flip(dy, { axes: attrs.axes }) };
}

/** Sums the copies, one axis at a time: no device has the axes for all at once. */
export function tileGradient({ dy, shapes, attrs }: GradientContext<UnaryInputs, { repeats: number[] }>) {
  return {
    x: () => {
      let gradient = dy;
      attrs.repeats.forEach((count, axis) => {
        if (count === 1) return;
        const before = shapes.x.slice(0, axis);
        const copies = reshape(gradient, [
          sizeOf(before),
          count,
          shapes.x[axis],
          sizeOf(dy.shape.slice(axis + 1)),
        ]);
        gradient = sum(copies, { axes: 1 });
      });
      return reshape(gradient, shapes.x);
    },
  };
}
