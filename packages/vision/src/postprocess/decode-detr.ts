import { InputError } from "@ai/tensor";
import { type BoxCandidate, boxFromCenter, type DetectedBox } from "./boxes.js";

/** Values of one picture of a {@link Detr}. */
export interface QueryValues {
  readonly logits: ArrayLike<number>;
  readonly boxes: ArrayLike<number>;
}

/** Options of {@link decodeDetr}. */
export interface DecodeDetrOptions {
  /** Height and width in pixels of what the network saw. */
  readonly size: readonly [height: number, width: number];
  /** Boxes below are dropped. Default 0.5. */
  readonly scoreThreshold?: number;
}

/**
 * Boxes of one picture from what {@link Detr} gives: of each query the best class but "no object" and its probability.
 * @param output `logits` `[queries, classes + 1]` and `boxes` `[queries, 4]` as values.
 * @returns best first, boxes in pixels of `size`
 * @throws InputError when logits and boxes do not fit.
 */
export function decodeDetr(output: QueryValues, options: DecodeDetrOptions): DetectedBox[] {
  return queryCandidates(output, options)
    .map(({ box, label, score }) => ({ box, label, score }))
    .sort((a, b) => b.score - a.score);
}

/** What each query of {@link decodeDetr} speaks for, in their order. */
export function queryCandidates(
  { logits, boxes }: QueryValues,
  { size: [height, width], scoreThreshold = 0.5 }: DecodeDetrOptions,
): BoxCandidate[] {
  const queries = boxes.length / 4;
  const stride = logits.length / queries;
  if (!(Number.isInteger(queries) && Number.isInteger(stride) && stride > 1))
    throw new InputError(
      `decodeDetr: expected logits and four box numbers for each query, got ${logits.length} and ${boxes.length} values`,
    );
  const found: BoxCandidate[] = [];
  for (let query = 0; query < queries; query++) {
    const scores = Array.from({ length: stride }, (_, index) => logits[query * stride + index]);
    const largest = Math.max(...scores);
    const total = scores.reduce((sum, score) => sum + Math.exp(score - largest), 0);
    const label = scores
      .slice(0, -1)
      .reduce((best, score, index, all) => (score > all[best] ? index : best), 0);
    const score = Math.exp(scores[label] - largest) / total;
    if (!(score >= scoreThreshold)) continue;
    const [x, y, across, down] = [0, 1, 2, 3].map((place) => boxes[query * 4 + place]);
    const box = boxFromCenter(x * width, y * height, { width: across * width, height: down * height });
    found.push({ box, label, score, source: query });
  }
  return found;
}
