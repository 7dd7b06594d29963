import { InputError } from "@ai/tensor";

/** Scores of symbols at each position of one sequence. */
export interface CtcScores {
  /** `length · classes` scores before the softmax, row-major. */
  readonly values: ArrayLike<number>;
  readonly classes: number;
}

/** Options of {@link decodeCtc}. */
export interface DecodeCtcOptions {
  /** Class that stands for "nothing here". */
  readonly blank: number;
  /** Prefixes that are kept at each position; 1 takes the best symbol of each position (greedy). Default 1. */
  readonly beamSize?: number;
}

/** What was read. */
export interface CtcReading {
  /** Classes in order, without blanks. */
  readonly classes: readonly number[];
  /** Position at which each of them is strongest (greedy), or first appears (beam). */
  readonly positions: readonly number[];
  /** Natural logarithm of the probability: of the best path (greedy), or of all paths that were kept (beam). */
  readonly logProbability: number;
}

/**
 * Reads a sequence that was trained with CTC: repeated symbols are one, blanks part them and go.
 * @throws InputError for scores or options that do not fit.
 * @see Graves, Fernández, Gomez, Schmidhuber (2006), "Connectionist temporal classification", https://www.cs.toronto.edu/~graves/icml_2006.pdf
 * @example
 * const { classes } = decodeCtc({ values: await read(scores), classes: 68 }, { blank: 67 });
 * const text = classes.map((index) => LPRNET_SYMBOLS[index]).join("");
 */
export function decodeCtc(scores: CtcScores, { blank, beamSize = 1 }: DecodeCtcOptions): CtcReading {
  const { values, classes } = scores;
  const fail = (expected: string, got: unknown): never => {
    throw new InputError(`decodeCtc: expected ${expected}, got ${String(got)}`);
  };
  if (!(Number.isInteger(classes) && classes > 0 && values.length % classes === 0))
    fail("values that the number of classes divides", `${values?.length} values of ${classes} classes`);
  if (!(Number.isInteger(blank) && blank >= 0 && blank < classes)) fail(`a blank below ${classes}`, blank);
  if (!(Number.isInteger(beamSize) && beamSize > 0)) fail("a beamSize of at least 1", beamSize);
  const steps = Array.from({ length: values.length / classes }, (_, step) =>
    logSoftmax(values, step * classes, classes),
  );
  return beamSize === 1 ? decodeGreedy(steps, blank) : decodeBeam(steps, { blank, beamSize });
}

function logSoftmax(values: ArrayLike<number>, start: number, length: number): Float64Array {
  const row = Float64Array.from({ length }, (_, index) => values[start + index]);
  const largest = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const total = largest + Math.log(row.reduce((sum, value) => sum + Math.exp(value - largest), 0));
  return row.map((value) => value - total);
}

function decodeGreedy(steps: readonly Float64Array[], blank: number): CtcReading {
  const classes: number[] = [];
  const positions: number[] = [];
  let logProbability = 0;
  let before = blank;
  steps.forEach((row, step) => {
    const best = row.reduce((found, value, index) => (value > row[found] ? index : found), 0);
    logProbability += row[best];
    if (best !== blank && best !== before) {
      classes.push(best);
      positions.push(step);
    } else if (best !== blank && row[best] > steps[positions[positions.length - 1]][best])
      positions[positions.length - 1] = step;
    before = best;
  });
  return { classes, positions, logProbability };
}

/** A text read so far: the logarithms of its paths that end in a blank and of those that do not. */
interface Prefix {
  readonly classes: readonly number[];
  readonly positions: readonly number[];
  blank: number;
  symbol: number;
}

const NOTHING = Number.NEGATIVE_INFINITY;

function logAdd(a: number, b: number): number {
  if (a === NOTHING) return b;
  if (b === NOTHING) return a;
  return Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));
}

/** Prefix beam search. @see Hannun et al. (2014), https://arxiv.org/abs/1408.2873 */
function decodeBeam(
  steps: readonly Float64Array[],
  { blank, beamSize }: { readonly blank: number; readonly beamSize: number },
): CtcReading {
  let beam: Prefix[] = [{ classes: [], positions: [], blank: 0, symbol: NOTHING }];
  steps.forEach((row, step) => {
    const next = new Map<string, Prefix>();
    const at = (classes: readonly number[], positions: readonly number[]): Prefix => {
      const key = classes.join();
      const found = next.get(key) ?? { classes, positions, blank: NOTHING, symbol: NOTHING };
      next.set(key, found);
      return found;
    };
    for (const prefix of beam) {
      const both = logAdd(prefix.blank, prefix.symbol);
      const last = prefix.classes.at(-1);
      const stays = at(prefix.classes, prefix.positions);
      row.forEach((value, symbol) => {
        if (symbol === blank) {
          stays.blank = logAdd(stays.blank, both + value);
          return;
        }
        if (symbol === last) stays.symbol = logAdd(stays.symbol, prefix.symbol + value);
        const from = symbol === last ? prefix.blank : both;
        if (from === NOTHING) return;
        const grown = at([...prefix.classes, symbol], [...prefix.positions, step]);
        grown.symbol = logAdd(grown.symbol, from + value);
      });
    }
    const total = ({ blank: ends, symbol }: Prefix): number => logAdd(ends, symbol);
    beam = [...next.values()].sort((a, b) => total(b) - total(a)).slice(0, beamSize);
  });
  const [{ classes, positions, blank: ends, symbol }] = beam;
  return { classes, positions, logProbability: logAdd(ends, symbol) };
}
