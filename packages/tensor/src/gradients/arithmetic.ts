import type { GradientContext } from "../kernels/define-kernel.js";
import { add, div, floorDivide, mul, pow, sub } from "../ops/arithmetic.js";
import { type BinaryInputs, type NoAttributes, sumToShape } from "../ops/broadcast.js";
import { equal, greater, greaterEqual, less, logicalAnd, where } from "../ops/compare.js";
import { log, neg, square } from "../ops/unary.js";

type Context = GradientContext<BinaryInputs, NoAttributes>;

export function addGradient({ dy, shapes }: Context) {
  return { a: () => sumToShape(dy, shapes.a), b: () => sumToShape(dy, shapes.b) };
}

export function subGradient({ dy, shapes }: Context) {
  return { a: () => sumToShape(dy, shapes.a), b: () => neg(sumToShape(dy, shapes.b)) };
}

export function mulGradient({ dy, saved: { a, b }, shapes }: Context) {
  return { a: () => sumToShape(mul(dy, b), shapes.a), b: () => sumToShape(mul(dy, a), shapes.b) };
}

export function divGradient({ dy, saved: { a, b }, shapes }: Context) {
  return {
    a: () => sumToShape(div(dy, b), shapes.a),
    b: () => sumToShape(neg(mul(dy, div(div(a, b), b))), shapes.b),
  };
}

/** The quotient rounded down is a step function: zeros. */
export function floorDivideGradient() {
  return {};
}

export function remainderGradient({ dy, saved: { a, b }, shapes }: Context) {
  return {
    a: () => sumToShape(dy, shapes.a),
    b: () => sumToShape(neg(mul(dy, floorDivide(a, b))), shapes.b),
  };
}

export function powGradient({ dy, saved: { a, b }, shapes }: Context) {
  return {
    // a⁰ is 1 for every a, 0 included: no slope there, although b·aᵇ⁻¹ is 0·∞
    a: () => sumToShape(where(equal(b, 0), 0, mul(dy, mul(b, pow(a, sub(b, 1))))), shapes.a),
    b: () => {
      const flat = logicalAnd(equal(a, 0), greaterEqual(b, 0));
      return sumToShape(mul(dy, where(flat, 0, mul(pow(a, b), log(a)))), shapes.b);
    },
  };
}

/** Maximum and minimum: all to the winner, half to each in a tie, all to both where one is NaN. */
export function extremumGradient({ dy, saved: { a, b }, shapes }: Context, kind: "maximum" | "minimum") {
  const share = () => where(equal(a, b), mul(dy, 0.5), dy);
  const loses = kind === "maximum" ? less : greater;
  return {
    a: () => sumToShape(where(loses(a, b), 0, share()), shapes.a),
    b: () => sumToShape(where(loses(b, a), 0, share()), shapes.b),
  };
}

export function squaredDifferenceGradient({ dy, saved: { a, b }, shapes }: Context) {
  const slope = () => mul(dy, mul(sub(a, b), 2));
  return { a: () => sumToShape(slope(), shapes.a), b: () => neg(sumToShape(slope(), shapes.b)) };
}

export function atan2Gradient({ dy, saved: { a, b }, shapes }: Context) {
  const scaled = () => {
    const norm = add(square(a), square(b));
    return where(equal(norm, 0), 0, div(dy, norm));
  };
  return {
    a: () => sumToShape(mul(scaled(), b), shapes.a),
    b: () => neg(sumToShape(mul(scaled(), a), shapes.b)),
  };
}
