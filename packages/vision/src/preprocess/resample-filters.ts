/** How a resized pixel is made from those under it; Pillow's names. */
export type Resample = "nearest" | "box" | "bilinear" | "hamming" | "bicubic" | "lanczos";

/** Every {@link Resample}. */
export const RESAMPLES: readonly Resample[] = ["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"];

/** Weight of a pixel at distance `x`, zero beyond `support`. */
interface Filter {
  readonly support: number;
  readonly weight: (x: number) => number;
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));

/** Keys' cubic with a = −0.5, as in Pillow. */
function cubic(distance: number): number {
  const x = Math.abs(distance);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
}

function hamming(distance: number): number {
  const x = Math.abs(distance);
  if (x === 0) return 1;
  return x >= 1 ? 0 : (Math.sin(x * Math.PI) / (x * Math.PI)) * (0.54 + 0.46 * Math.cos(x * Math.PI));
}

const FILTERS: Readonly<Record<Exclude<Resample, "nearest">, Filter>> = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: { support: 1, weight: hamming },
  bicubic: { support: 2, weight: cubic },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** Fixed-point bits of a weight: 8 for the grey level and 2 for the overshoot are left of 32. */
export const WEIGHT_BITS = 22;

/** For each output position: which inputs it is made of, and their weights. */
export interface ResampleWeights {
  /** First input of each output. */
  readonly starts: Int32Array;
  /** Number of inputs of each output. */
  readonly counts: Int32Array;
  /** Outputs × `taps` weights, times 2²². */
  readonly weights: Int32Array;
  readonly taps: number;
}

/**
 * Weights of one axis as Pillow computes them: the filter is widened by the scale when the axis shrinks
 * (anti-aliasing), normalised in float64 and rounded to fixed point.
 * @param from, to The part of the input axis that is resized, in pixels.
 */
export function resampleWeights(
  resample: Exclude<Resample, "nearest">,
  inputSize: number,
  [from, to]: readonly [number, number],
  outputSize: number,
): ResampleWeights {
  const filter = FILTERS[resample];
  const scale = (to - from) / outputSize;
  const filterScale = Math.max(scale, 1);
  const support = filter.support * filterScale;
  const taps = Math.ceil(support) * 2 + 1;
  const starts = new Int32Array(outputSize);
  const counts = new Int32Array(outputSize);
  const weights = new Int32Array(outputSize * taps);
  const exact = new Float64Array(taps);
  const inverse = 1 / filterScale;
  for (let output = 0; output < outputSize; output++) {
    const center = from + (output + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - support + 0.5));
    const count = Math.min(inputSize, Math.trunc(center + support + 0.5)) - start;
    let sum = 0;
    for (let tap = 0; tap < count; tap++) {
      exact[tap] = filter.weight((tap + start - center + 0.5) * inverse);
      sum += exact[tap];
    }
    for (let tap = 0; tap < count; tap++) {
      const weight = (sum === 0 ? exact[tap] : exact[tap] / sum) * 2 ** WEIGHT_BITS;
      weights[output * taps + tap] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    starts[output] = start;
    counts[output] = count;
  }
  return { starts, counts, weights, taps };
}
