import type { Tensor } from "@tensorflow/tfjs-core";
import { add, mul, sub } from "../../ops/arithmetic.js";
import { concat, stack, unstack } from "../../ops/concat.js";
import { matMul } from "../../ops/matmul.js";
import { reshape, transpose } from "../../ops/shape-ops.js";
import { narrow } from "../../ops/slice.js";
import { neg } from "../../ops/unary.js";
import { fromValues, zeros } from "../../tensor.js";
import { type FftPlan, planFft } from "./plan.js";
import type { RealFftAttributes } from "./real-fft-rows.js";

/** Real and imaginary parts, of one shape. */
type Complex = readonly [Tensor, Tensor];

/** Longest transform that is one matrix product, where a shorter one is possible. */
const DIRECT_LENGTH = 128;
/** Longest prime that is. */
const DIRECT_PRIME = 1024;

/** `e^(−2πi · row · column / period)`. @returns `[rows, columns]` each */
function roots(rows: number, columns: number, period: number): Complex {
  const re = new Float32Array(rows * columns);
  const im = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      const angle = (-2 * Math.PI * ((row * column) % period)) / period;
      re[row * columns + column] = Math.cos(angle);
      im[row * columns + column] = Math.sin(angle);
    }
  return [fromValues(re, [rows, columns], "float32"), fromValues(im, [rows, columns], "float32")];
}

function times([ar, ai]: Complex, [br, bi]: Complex): Complex {
  return [sub(mul(ar, br), mul(ai, bi)), add(mul(ar, bi), mul(ai, br))];
}

const both = ([re, im]: Complex, change: (x: Tensor) => Tensor): Complex => [change(re), change(im)];

const conjugate = ([re, im]: Complex): Complex => [re, neg(im)];

/** `Σ xⱼ e^(−2πijk/n)` along the last axis by products with small matrices. @param x `[rows, n]` */
function transform(x: Complex): Complex {
  const [rows, n]: readonly number[] = x[0].shape;
  if (n <= DIRECT_LENGTH) return direct(x);
  let first = 1;
  for (let factor = 2; factor <= DIRECT_LENGTH; factor++) if (n % factor === 0) first = factor;
  if (first === 1) {
    const factor = smallestFactor(n);
    if (factor > DIRECT_PRIME) return convolve(x, planFft(n));
    if (factor === n) return direct(x);
    first = factor;
  }
  const second = n / first;
  // input second · i + j, output k + first · l (Cooley, Tukey, 1965)
  const columns = both(x, (part) =>
    reshape(transpose(reshape(part, [rows, first, second]), [0, 2, 1]), [rows * second, first]),
  ); // [rows · j, i]
  const inner = both(transform(columns), (part) => reshape(part, [rows, second, first])); // [rows, j, k]
  const turned = times(inner, roots(second, first, n));
  const rest = both(turned, (part) => reshape(transpose(part, [0, 2, 1]), [rows * first, second])); // [rows · k, j]
  return both(transform(rest), (part) =>
    reshape(transpose(reshape(part, [rows, first, second]), [0, 2, 1]), [rows, n]),
  ); // [rows, l · k]
}

function smallestFactor(n: number): number {
  for (let factor = 2; factor * factor <= n; factor++) if (n % factor === 0) return factor;
  return n;
}

function direct([re, im]: Complex): Complex {
  const [, n]: readonly number[] = re.shape;
  const [cosine, sine] = roots(n, n, n);
  return [sub(matMul(re, cosine), matMul(im, sine)), add(matMul(re, sine), matMul(im, cosine))];
}

/** Bluestein's algorithm, for primes: a convolution of a length that has small factors. */
function convolve(x: Complex, { size, passSize, chirp, chirpSpectrum }: FftPlan): Complex {
  const [rows]: readonly number[] = x[0].shape;
  const pairs = (values: Float64Array | undefined, count: number): Complex => {
    const [re, im] = unstack(fromValues(Float32Array.from(values!), [count, 2], "float32"), { axis: 1 });
    return [re, im];
  };
  const turn = pairs(chirp, size);
  const padding = zeros([rows, passSize - size]);
  const padded = both(times(x, turn), (part) => concat([part, padding], { axis: 1 }));
  const product = times(transform(padded), pairs(chirpSpectrum, passSize));
  const result = conjugate(transform(conjugate(product)));
  return times(
    both(result, (part) => narrow(part, { axis: 1, start: 0, length: size })),
    turn,
  );
}

/** Factors of the bins, `[bins]`. */
function factors({ length, scale, doubled }: RealFftAttributes): Tensor {
  const bins = Math.floor(length / 2) + 1;
  const values = new Float32Array(bins).fill(doubled ? 2 * scale : scale);
  values[0] = scale;
  if (length % 2 === 0) values[bins - 1] = scale;
  return fromValues(values, [bins], "float32");
}

/** Bins by plain ops. @returns `[rows, bins, 2]` */
export function realFftReference({ x }: { x: Tensor }, attributes: RealFftAttributes): Tensor {
  const bins = Math.floor(attributes.length / 2) + 1;
  if (x.size === 0) return zeros([x.shape[0], bins, 2]);
  const factor = factors(attributes);
  const result = both(transform([x, zeros(x.shape)]), (part) =>
    mul(narrow(part, { axis: 1, start: 0, length: bins }), factor),
  );
  return stack(result, { axis: 2 });
}

/** Real rows by plain ops. @returns `[rows, length]` */
export function inverseRealFftReference({ x }: { x: Tensor }, attributes: RealFftAttributes): Tensor {
  const [rows, bins]: readonly number[] = x.shape;
  const { length } = attributes;
  if (x.size === 0) return zeros([rows, length]);
  const factor = factors(attributes);
  const padding = zeros([rows, length - bins]);
  const [re, im] = unstack(x, { axis: 2 });
  const all = both([re, neg(im)], (part) => concat([mul(part, factor), padding], { axis: 1 }));
  return transform(all)[0];
}
