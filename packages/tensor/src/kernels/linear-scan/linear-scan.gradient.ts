import type { Tensor } from "@tensorflow/tfjs-core";
import { tidy } from "../../memory.js";
import { mul } from "../../ops/arithmetic.js";
import { narrow, pad } from "../../ops/slice.js";
import type { GradientContext } from "../define-kernel.js";
import { type LinearScanAttributes, type LinearScanInputs, linearScan } from "./linear-scan.js";

/** Moves every step to the next one in time, or to the one before with `back`; zeros come in. */
export function shifted(x: Tensor, back: boolean): Tensor {
  const [, length]: readonly number[] = x.shape;
  const cut = narrow(x, { axis: 1, start: back ? 1 : 0, length: length - 1 });
  const padding = x.shape.map((_, axis): [number, number] => (axis !== 1 ? [0, 0] : back ? [0, 1] : [1, 0]));
  return pad(cut, padding);
}

/** `g[t] = dh[t] + factors[t + 1] · g[t + 1]`; the increments get `g`, the factors `g[t] · h[t − 1]`. */
export function linearScanGradient({
  dy,
  saved,
  output,
  attrs: { reverse },
}: GradientContext<LinearScanInputs, LinearScanAttributes>): {
  factors: () => Tensor;
  increments: () => Tensor;
} {
  let reached: Tensor | undefined;
  const back = (): Tensor => {
    reached ??=
      saved.factors.shape[1] === 0
        ? dy
        : tidy(() => linearScan(shifted(saved.factors, !reverse), dy, { reverse: !reverse }));
    return reached;
  };
  return {
    factors: () => {
      if (saved.factors.shape[1] === 0) return mul(dy, 0);
      const each = back();
      return tidy(() => mul(each, shifted(output, reverse)));
    },
    increments: back,
  };
}
