import type { Tensor } from "@tensorflow/tfjs-core";
import { ShapeError } from "../errors.js";
import { reshapeGradient } from "../gradients/shape-ops.js";
import { defineKernel } from "../kernels/define-kernel.js";
import { formatShape, type Shape, sizeOf } from "../shape.js";

const reshapeKernel = /* @__PURE__ */ defineKernel<{ x: Tensor }, { shape: number[] }>({
  name: "Reshape",
  stock: "Reshape",
  gradient: reshapeGradient,
});

/**
 * The same values in row-major order under another shape; one size may be −1 and is worked out.
 * @param x `[...]` @returns `shape`
 * @throws ShapeError when the numbers of elements differ.
 */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const known = sizeOf(shape.filter((length) => length !== -1));
  const holes = shape.filter((length) => length === -1).length;
  const resolved = shape.map((length) => (length === -1 ? (known === 0 ? 0 : x.size / known) : length));
  if (holes > 1 || resolved.some((length) => !Number.isInteger(length) || length < 0) || sizeOf(resolved) !== x.size)
    throw new ShapeError(`reshape: expected a shape of ${x.size} elements, got ${formatShape(shape)} for ${formatShape(x.shape)}`);
  return reshapeKernel({ x }, { shape: resolved });
}
