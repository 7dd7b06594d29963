import { type CtcScores, type DecodeCtcOptions, decodeCtc } from "./decode-ctc.js";

/** A symbol that was read, and where. */
export interface ReadSymbol {
  /** Its class. */
  readonly symbol: number;
  /** Its probability at the position where it is strongest, in (0, 1]. */
  readonly score: number;
  /** That position. */
  readonly position: number;
}

/** Symbols in order, and the probability of all of them together. */
export interface SymbolReading {
  readonly symbols: readonly ReadSymbol[];
  /** Of the best path (greedy) or of all paths that were kept (beam), in [0, 1]. */
  readonly score: number;
}

/**
 * {@link decodeCtc}, with a probability for each symbol: the largest between its position and the next symbol's.
 * @throws InputError for scores or options that do not fit.
 */
export function readSymbols(scores: CtcScores, options: DecodeCtcOptions): SymbolReading {
  const { values, classes: width } = scores;
  const { classes, positions, logProbability } = decodeCtc(scores, options);
  const length = values.length / width;
  const probability = (position: number, symbol: number): number => {
    const row = Array.from({ length: width }, (_, index) => values[position * width + index]);
    const largest = Math.max(...row);
    return Math.exp(row[symbol] - largest) / row.reduce((sum, value) => sum + Math.exp(value - largest), 0);
  };
  const symbols = classes.map((symbol, place): ReadSymbol => {
    const end = positions[place + 1] ?? length;
    let best = { symbol, score: probability(positions[place], symbol), position: positions[place] };
    for (let position = positions[place] + 1; position < end; position++) {
      const score = probability(position, symbol);
      if (score > best.score) best = { symbol, score, position };
    }
    return best;
  });
  return { symbols, score: Math.exp(logProbability) };
}
