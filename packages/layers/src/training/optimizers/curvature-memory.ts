/** Below this product of gradient change and step an update of the memory would not keep the matrix positive. */
const LEAST_CURVATURE = 1e-10;

/** A change of the weights, and what it changed in the gradient, both `[weights]`. */
export interface CurvaturePair {
  readonly step: Float32Array;
  readonly gradientChange: Float32Array;
}

/** The last changes of weights and gradient, which stand for the inverse of the Hessian. */
export class CurvatureMemory {
  readonly pairs: readonly CurvaturePair[];
  /** `1 / (y · s)` of each pair. */
  readonly #inverse: readonly number[];

  constructor(pairs: readonly CurvaturePair[] = []) {
    this.pairs = pairs;
    this.#inverse = pairs.map(({ step, gradientChange }) => 1 / dot(gradientChange, step));
  }

  /** The memory with one pair more, without the oldest beyond `size`; itself when the pair has no curvature. */
  with(pair: CurvaturePair, size: number): CurvatureMemory {
    if (!(dot(pair.gradientChange, pair.step) > LEAST_CURVATURE)) return this;
    const kept = this.pairs.length === size ? this.pairs.slice(1) : this.pairs;
    return new CurvatureMemory([...kept, pair]);
  }

  /** The direction `−H · gradient` by the two-loop recursion. @param gradient `[weights]` @returns `[weights]` */
  direction(gradient: Float32Array): Float32Array {
    const result = Float64Array.from(gradient, (value) => -value);
    const shares: number[] = [];
    for (let index = this.pairs.length - 1; index >= 0; index--) {
      shares[index] = dot(this.pairs[index].step, result) * this.#inverse[index];
      addScaled(result, this.pairs[index].gradientChange, -shares[index]);
    }
    const last = this.pairs.at(-1);
    if (last !== undefined) {
      const scale = dot(last.gradientChange, last.step) / dot(last.gradientChange, last.gradientChange);
      for (let index = 0; index < result.length; index++) result[index] *= scale;
    }
    this.pairs.forEach(({ step, gradientChange }, index) => {
      addScaled(result, step, shares[index] - dot(gradientChange, result) * this.#inverse[index]);
    });
    return Float32Array.from(result);
  }
}

/** `a · b` in float64. @param a `[weights]` @param b `[weights]` */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < a.length; index++) sum += a[index] * b[index];
  return sum;
}

/** `max |a|`, 0 of nothing, NaN where there is one. @param a `[weights]` */
export function largest(a: ArrayLike<number>): number {
  let result = 0;
  for (let index = 0; index < a.length; index++) result = Math.max(result, Math.abs(a[index]));
  return result;
}

function addScaled(target: Float64Array, x: Float32Array, factor: number): void {
  for (let index = 0; index < target.length; index++) target[index] += factor * x[index];
}
