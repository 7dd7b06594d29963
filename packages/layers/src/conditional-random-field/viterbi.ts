import { InputError } from "@ai/tensor";

/** Scores of a linear chain on the host. */
export interface ChainScores {
  /** `[tags · tags]`, from (row) to (column). */
  readonly transitions: Float32Array;
  readonly start: Float32Array;
  readonly end: Float32Array;
}

/** A sequence of tags and its score. */
export interface TagSequence {
  readonly tags: number[];
  readonly score: number;
}

/**
 * The sequence of the largest score, the lowest tags of equal ones, in double precision.
 * @param rows scores `[tags]` of each step
 * @throws InputError when no sequence is possible or a score is NaN.
 */
export function bestSequence(
  rows: readonly Float32Array[],
  { transitions, start, end }: ChainScores,
): TagSequence {
  const count = start.length;
  if (rows.length === 0) return { tags: [], score: 0 };
  if ([transitions, start, end, ...rows].some((scores) => scores.some(Number.isNaN)))
    throw new InputError("decode: expected scores that are numbers, got NaN; check emissions and parameters");
  let scores = Float64Array.from(rows[0], (value, tag) => value + start[tag]);
  const origins = rows.slice(1).map((row) => {
    const next = new Float64Array(count).fill(Number.NEGATIVE_INFINITY);
    const origin = new Int32Array(count);
    for (let from = 0; from < count; from++)
      for (let to = 0; to < count; to++) {
        const score = scores[from] + transitions[from * count + to];
        if (score <= next[to]) continue;
        next[to] = score;
        origin[to] = from;
      }
    scores = next.map((score, tag) => score + row[tag]);
    return origin;
  });
  const totals = scores.map((score, tag) => score + end[tag]);
  let best = 0;
  for (let tag = 1; tag < count; tag++) if (totals[tag] > totals[best]) best = tag;
  if (totals[best] === Number.NEGATIVE_INFINITY)
    throw new InputError(
      `decode: expected a sequence of ${rows.length} tags that is possible, got none; check the constraints`,
    );
  const tags = [best];
  for (let step = origins.length - 1; step >= 0; step--) tags.push(origins[step][tags[tags.length - 1]]);
  return { tags: tags.reverse(), score: totals[best] };
}
