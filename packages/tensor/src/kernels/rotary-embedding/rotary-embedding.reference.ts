import type { Tensor } from "@tensorflow/tfjs-core";
import { add, mul, sub } from "../../ops/arithmetic.js";
import { concat, stack } from "../../ops/concat.js";
import { reshape } from "../../ops/shape-ops.js";
import { narrow } from "../../ops/slice.js";
import type { RotaryEmbeddingAttributes, RotaryEmbeddingInputs } from "./rotary-embedding.js";

/** First and second channels of the pairs. @param x `[..., length, headDim]` @returns two of `[..., length, half]` */
export function splitPairs(x: Tensor, half: number, interleaved: boolean): [Tensor, Tensor] {
  const lead = x.shape.slice(0, -1);
  const rotating = narrow(x, { axis: -1, start: 0, length: 2 * half });
  const pairs = reshape(rotating, interleaved ? [...lead, half, 2] : [...lead, 2, half]);
  const part = (index: number): Tensor =>
    reshape(narrow(pairs, { axis: interleaved ? -1 : -2, start: index, length: 1 }), [...lead, half]);
  return [part(0), part(1)];
}

/** Rotation by plain ops. @param x `[..., length, headDim]` @returns `[..., length, headDim]` */
export function rotaryEmbeddingReference(
  { x, cosine, sine }: RotaryEmbeddingInputs,
  { interleaved }: RotaryEmbeddingAttributes,
): Tensor {
  const half = cosine.shape[cosine.shape.length - 1];
  const headDim = x.shape[x.shape.length - 1];
  const [first, second] = splitPairs(x, half, interleaved);
  const turned = [sub(mul(first, cosine), mul(second, sine)), add(mul(second, cosine), mul(first, sine))];
  const rotated = reshape(stack(turned, { axis: interleaved ? -1 : -2 }), [
    ...x.shape.slice(0, -1),
    2 * half,
  ]);
  if (2 * half === headDim) return rotated;
  return concat([rotated, narrow(x, { axis: -1, start: 2 * half, length: headDim - 2 * half })], {
    axis: -1,
  });
}
