import type { Tensor } from "@tensorflow/tfjs-core";
import { add, mul, sub } from "../../ops/arithmetic.js";
import { sumToShape } from "../../ops/broadcast.js";
import { neg } from "../../ops/unary.js";
import type { GradientContext } from "../define-kernel.js";
import {
  type RotaryEmbeddingAttributes,
  type RotaryEmbeddingInputs,
  rotaryEmbeddingKernel,
} from "./rotary-embedding.js";
import { splitPairs } from "./rotary-embedding.reference.js";

/** A rotation's transpose is the rotation back. */
export function rotaryEmbeddingGradient({
  dy,
  saved: { x, cosine, sine },
  attrs,
}: GradientContext<RotaryEmbeddingInputs, RotaryEmbeddingAttributes>) {
  const half = cosine.shape[cosine.shape.length - 1];
  const pairs = (tensor: Tensor): [Tensor, Tensor] => splitPairs(tensor, half, attrs.interleaved);
  return {
    x: (): Tensor => rotaryEmbeddingKernel({ x: dy, cosine, sine: neg(sine) }, attrs),
    cosine: () => {
      const [first, second] = pairs(x);
      const [dFirst, dSecond] = pairs(dy);
      return sumToShape(add(mul(dFirst, first), mul(dSecond, second)), cosine.shape);
    },
    sine: () => {
      const [first, second] = pairs(x);
      const [dFirst, dSecond] = pairs(dy);
      return sumToShape(sub(mul(dSecond, first), mul(dFirst, second)), sine.shape);
    },
  };
}
