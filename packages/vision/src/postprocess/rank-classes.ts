/** A class of a picture. */
export interface ImageClass {
  readonly label: string;
  /** Its place in the model's labels. */
  readonly index: number;
  /** In [0, 1] after softmax or sigmoid; the raw score without. */
  readonly score: number;
}

/** Which classes are told. */
export interface RankOptions {
  /** At most so many. */
  readonly topK: number;
  /** Only scores of at least this. */
  readonly threshold: number;
}

/** The best classes of one picture, the best first; of equal scores the first label first. */
export function rankClasses(
  scores: ArrayLike<number>,
  labels: readonly string[],
  { topK, threshold }: RankOptions,
): ImageClass[] {
  return labels
    .map((label, index) => ({ label, index, score: scores[index] }))
    .filter(({ score }) => score >= threshold)
    .sort((a, b) => b.score - a.score || a.index - b.index)
    .slice(0, topK);
}
