import type { Tensor } from "@tensorflow/tfjs-core";
import type { GradientContext } from "../kernels/define-kernel.js";
import type { UnaryInputs } from "../ops/broadcast.js";
import { concat, split } from "../ops/concat.js";

export function concatGradient({
  dy,
  shapes,
  attrs: { axis },
}: GradientContext<Record<string, Tensor>, { axis: number }>) {
  const names = Object.keys(shapes);
  let parts: Tensor[] | undefined;
  return Object.fromEntries(
    names.map((name, index) => [
      name,
      () => {
        parts ??= split(
          dy,
          names.map((each) => shapes[each][axis]),
          { axis },
        );
        return parts[index];
      },
    ]),
  );
}

export function splitGradient({
  dys,
  attrs: { axis },
}: GradientContext<UnaryInputs, { sizes: number[]; axis: number }>) {
  return { x: () => concat(dys, { axis }) };
}
