/** Points in (0, 1) and their weights, which sum to 1. */
export interface Quadrature {
  readonly points: readonly number[];
  readonly weights: readonly number[];
}

/** How the integral over the path becomes a sum. */
export type QuadratureRule = "gauss-legendre" | "midpoint" | "trapezoid";

/** @param steps how many points, at least 1 (trapezoid 2) */
export function quadrature(rule: QuadratureRule, steps: number): Quadrature {
  if (rule === "gauss-legendre") return gaussLegendre(steps);
  const indices = Array.from({ length: steps }, (_, index) => index);
  if (rule === "midpoint")
    return {
      points: indices.map((index) => (index + 0.5) / steps),
      weights: indices.map(() => 1 / steps),
    };
  const last = steps - 1;
  return {
    points: indices.map((index) => index / last),
    weights: indices.map((index) => (index === 0 || index === last ? 0.5 : 1) / last),
  };
}

/** Exact for polynomials up to degree 2·steps − 1. @see Press et al. (2007), "Numerical recipes", section 4.6 */
function gaussLegendre(steps: number): Quadrature {
  const [points, weights]: number[][] = [[], []];
  for (let index = 0; index < steps; index++) {
    let x = Math.cos((Math.PI * (index + 0.75)) / (steps + 0.5));
    let slope = 1;
    for (let iteration = 0; iteration < 100; iteration++) {
      let [before, value] = [1, x];
      for (let degree = 2; degree <= steps; degree++)
        [before, value] = [value, ((2 * degree - 1) * x * value - (degree - 1) * before) / degree];
      slope = (steps * (x * value - before)) / (x * x - 1);
      const step = value / slope;
      x -= step;
      if (Math.abs(step) < 1e-15) break;
    }
    points.unshift((x + 1) / 2);
    weights.unshift(1 / ((1 - x * x) * slope * slope));
  }
  return { points, weights };
}
