import { InputError, type RandomGenerator, type Shape, ShapeError, tensor } from "@ai/tensor";
import { assertIntegers, assertOneOf, formatShape } from "./checks.js";
import type { Initializer } from "./parameter.js";
import { assertOptionNames } from "./training/option-names.js";

/** Options of {@link truncatedNormal}. */
export interface TruncatedNormalOptions {
  /** Default 0. */
  readonly mean?: number;
  /** Of the normal distribution before it is cut. Default 1. */
  readonly standardDeviation?: number;
  /** Default −2. */
  readonly min?: number;
  /** Default 2. */
  readonly max?: number;
}

/**
 * Normal, but only values in [min, max], as `torch.nn.init.trunc_normal_`: the bounds are numbers, not deviations.
 * @throws InputError for unknown options, bounds in the wrong order, a deviation of 0 or less, or a mean more than two deviations outside.
 */
export function truncatedNormal(options: TruncatedNormalOptions = {}): Initializer {
  assertOptionNames("truncatedNormal", options, ["mean", "standardDeviation", "min", "max"]);
  const { mean = 0, standardDeviation = 1, min = -2, max = 2 } = options;
  const outside = Math.max(min - mean, mean - max, 0);
  const areNumbers = [mean, standardDeviation, min, max].every((value) => typeof value === "number");
  if (!(areNumbers && min < max && standardDeviation > 0 && outside <= 2 * standardDeviation))
    throw new InputError(
      `truncatedNormal: expected min < max, a deviation above 0 and a mean within two deviations of [${min}, ${max}], got mean ${mean} and deviation ${standardDeviation}`,
    );
  const narrow = max - min < 2 * standardDeviation;
  const height = (x: number): number => Math.exp(-((x - mean) ** 2) / (2 * standardDeviation ** 2));
  const top = height(Math.min(max, Math.max(min, mean)));
  // propose and reject: from the normal, or evenly where the window is so narrow that the normal would hardly hit it
  const draw = (generator: RandomGenerator): number => {
    for (;;) {
      const even = min + (max - min) * generator.uniform();
      if (narrow && generator.uniform() * top <= height(even)) return even;
      const value = mean + standardDeviation * generator.normal();
      if (!narrow && value >= min && value <= max) return value;
    }
  };
  return (shape, generator) =>
    tensor(
      Float32Array.from({ length: sizeOf(shape) }, () => draw(generator)),
      shape,
    );
}

/** Options of {@link orthogonal}. */
export interface OrthogonalOptions {
  /** Default 1. */
  readonly gain?: number;
  /** Axis of the outputs: 0 for a linear layer (default), −1 for a convolution, whose weight is `[...kernel, in, out]`. */
  readonly outputAxis?: 0 | -1;
}

/**
 * Rows (or columns, where there are fewer) of length `gain` at right angles, drawn evenly; other axes count as one.
 * @see Saxe, McClelland, Ganguli (2013), "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks", https://arxiv.org/abs/1312.6120
 */
export function orthogonal(options: OrthogonalOptions = {}): Initializer {
  assertOptionNames("orthogonal", options, ["gain", "outputAxis"]);
  const { gain = 1, outputAxis = 0 } = options;
  return (shape, generator) => {
    if (shape.length < 2)
      throw new ShapeError(`orthogonal: expected a weight of at least 2 axes, got ${formatShape(shape)}`);
    const size = sizeOf(shape);
    const outputs = shape.at(outputAxis) as number;
    const inputs = size / Math.max(1, outputs);
    const [count, length] = outputs <= inputs ? [outputs, inputs] : [inputs, outputs];
    const rows = orthonormal(count, length, generator);
    const values = new Float32Array(size);
    for (let output = 0; output < outputs; output++)
      for (let input = 0; input < inputs; input++) {
        const at = outputAxis === 0 ? output * inputs + input : input * outputs + output;
        values[at] = gain * (outputs <= inputs ? rows[output][input] : rows[input][output]);
      }
    return tensor(values, shape);
  };
}

/** Random vectors of length 1 at right angles: Gram and Schmidt's way, twice for accuracy. */
function orthonormal(count: number, length: number, generator: RandomGenerator): Float64Array[] {
  const rows: Float64Array[] = [];
  const dot = (a: Float64Array, b: Float64Array): number =>
    a.reduce((total, value, at) => total + value * b[at], 0);
  while (rows.length < count) {
    let row = Float64Array.from({ length }, () => generator.normal());
    for (let pass = 0; pass < 2; pass++)
      for (const other of rows) {
        const share = dot(row, other);
        row = row.map((value, at) => value - share * other[at]);
      }
    const norm = Math.sqrt(dot(row, row));
    rows.push(row.map((value) => value / norm));
  }
  return rows;
}

/** The identity matrix; ones on the diagonal of a matrix that is not square. */
export function identity(): Initializer {
  return (shape) => {
    if (shape.length !== 2) throw new ShapeError(`identity: expected a matrix, got ${formatShape(shape)}`);
    const values = new Float32Array(sizeOf(shape));
    for (let row = 0; row < Math.min(shape[0], shape[1]); row++) values[row * shape[1] + row] = 1;
    return tensor(values, shape);
  };
}

/** Options of {@link dirac}. */
export interface DiracOptions {
  /** The convolution's groups. Default 1. */
  readonly groups?: number;
}

/**
 * A convolution that gives its input back: of each group output channel `i` is input channel `i`, as far as there are
 * both. For a weight `[...kernel, in / groups, out]`; an odd kernel is centred.
 */
export function dirac(options: DiracOptions = {}): Initializer {
  assertOptionNames("dirac", options, ["groups"]);
  const { groups = 1 } = options;
  assertIntegers("dirac", { groups });
  return (shape) => {
    const [inputs, outputs] = shape.slice(-2);
    const kernel = shape.slice(0, -2);
    if (shape.length < 3 || outputs % groups !== 0)
      throw new ShapeError(
        `dirac: expected a convolution's weight [...kernel, in, out] with outputs that ${groups} divides, got ${formatShape(shape)}`,
      );
    const centre = kernel.reduce((cell, length) => cell * length + Math.floor(length / 2), 0);
    const values = new Float32Array(sizeOf(shape));
    const each = outputs / groups;
    for (let output = 0; output < outputs; output++)
      if (output % each < inputs) values[(centre * inputs + (output % each)) * outputs + output] = 1;
    return tensor(values, shape);
  };
}

/** Options of {@link sparse}. */
export interface SparseOptions {
  /** Share of each column that is 0, rounded up to whole numbers. */
  readonly sparsity: number;
  /** Of the other numbers. Default 0.01. */
  readonly standardDeviation?: number;
}

/**
 * A matrix of normal numbers with as many zeros in each column, at places drawn for each.
 * @throws InputError for unknown options, a sparsity outside [0, 1] or a negative deviation.
 * @see Martens (2010), "Deep learning via Hessian-free optimization", ICML
 */
export function sparse(options: SparseOptions): Initializer {
  assertOptionNames("sparse", options, ["sparsity", "standardDeviation"]);
  const { sparsity, standardDeviation = 0.01 } = options;
  if (!(typeof sparsity === "number" && sparsity >= 0 && sparsity <= 1 && standardDeviation >= 0))
    throw new InputError(
      `sparse: expected a sparsity in [0, 1] and a deviation of at least 0, got ${sparsity} and ${standardDeviation}`,
    );
  return (shape, generator) => {
    if (shape.length !== 2) throw new ShapeError(`sparse: expected a matrix, got ${formatShape(shape)}`);
    const [rows, columns] = shape;
    const values = Float32Array.from(
      { length: rows * columns },
      () => standardDeviation * generator.normal(),
    );
    const zeros = Math.ceil(sparsity * rows);
    for (let column = 0; column < columns; column++) {
      const order = Array.from({ length: rows }, (_, row) => row);
      for (let place = 0; place < zeros; place++) {
        const other = place + Math.floor(generator.uniform() * (rows - place));
        [order[place], order[other]] = [order[other], order[place]];
        values[order[place] * columns + column] = 0;
      }
    }
    return tensor(values, shape);
  };
}

const GAINS = { linear: 1, sigmoid: 1, tanh: 5 / 3, relu: Math.SQRT2, selu: 3 / 4 } as const;

/** What {@link calculateGain} knows. */
export type GainNonlinearity = keyof typeof GAINS | "leakyRelu";

/**
 * Factor of the weights' deviation that makes up for what a nonlinearity takes from its input: the `gain` of
 * {@link xavierUniform}, {@link xavierNormal} and {@link orthogonal}. PyTorch's numbers.
 * @param options `negativeSlope` of `"leakyRelu"`, default 0.01: its gain is `√(2 / (1 + negativeSlope²))`.
 * @throws InputError for another nonlinearity, unknown options, or a slope that is no number or not for `"leakyRelu"`.
 * @example
 * const initializer = xavierUniform({ fanIn: 64, fanOut: 64, gain: calculateGain("tanh") });
 */
export function calculateGain(
  nonlinearity: GainNonlinearity,
  options: { readonly negativeSlope?: number } = {},
): number {
  assertOptionNames("calculateGain", options, ["negativeSlope"]);
  assertOneOf("calculateGain", "nonlinearity", nonlinearity, [...Object.keys(GAINS), "leakyRelu"]);
  const { negativeSlope } = options;
  if (nonlinearity !== "leakyRelu") {
    if (negativeSlope !== undefined)
      throw new InputError(
        `calculateGain: expected negativeSlope with "leakyRelu" only, got "${nonlinearity}"`,
      );
    return GAINS[nonlinearity];
  }
  if (negativeSlope !== undefined && !Number.isFinite(negativeSlope))
    throw new InputError(`calculateGain: expected a finite negativeSlope, got ${negativeSlope}`);
  return Math.sqrt(2 / (1 + (negativeSlope ?? 0.01) ** 2));
}

function sizeOf(shape: Shape): number {
  return shape.reduce((product, length) => product * length, 1);
}
