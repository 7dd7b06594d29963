import type { Tensor } from "@tensorflow/tfjs-core";
import { add, mul } from "../../ops/arithmetic.js";
import { equal, where } from "../../ops/compare.js";
import { concat } from "../../ops/concat.js";
import { narrow } from "../../ops/slice.js";
import type { LinearScanAttributes, LinearScanInputs } from "./linear-scan.js";

/** What is 0 stays 0, also where the factors' product is infinite. */
function grown(before: Tensor, gain: Tensor): Tensor {
  return where(equal(before, 0), before, mul(gain, before));
}

/** Doubles the reach of every step until it covers the sequence: `(a, b) ∘ (a', b') = (a·a', a'·b + b')`. */
export function linearScanReference(
  { factors, increments }: LinearScanInputs,
  { reverse }: LinearScanAttributes,
): Tensor {
  const [, length]: readonly number[] = factors.shape;
  let [a, b] = [factors, add(increments, 0)];
  for (let reach = 1; reach < length; reach *= 2) {
    const rest = length - reach;
    const part = (x: Tensor, start: number, size: number): Tensor =>
      narrow(x, { axis: 1, start, length: size });
    // the steps that have one `reach` before them, and those that do not
    const [later, sooner, edge] = reverse ? [0, reach, rest] : [reach, 0, 0];
    const updated = add(grown(part(b, sooner, rest), part(a, later, rest)), part(b, later, rest));
    const products = grown(part(a, sooner, rest), part(a, later, rest));
    const join = (x: Tensor, changed: Tensor): Tensor => {
      const kept = part(x, edge, reach);
      return concat(reverse ? [changed, kept] : [kept, changed], { axis: 1 });
    };
    b = join(b, updated);
    a = join(a, products);
  }
  return b;
}
