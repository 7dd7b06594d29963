import { InputError } from "@ai/tensor";
import { type BoxCandidate, boxFromCenter, type DetectedBox } from "./boxes.js";
import { nonMaximumSuppression } from "./non-maximum-suppression.js";

/** Rows, columns and classes of FastestDet's cells. */
export interface CellGrid {
  readonly rows: number;
  readonly columns: number;
  readonly classes: number;
}

/** Options of the decoders of detectors. */
export interface DecodeBoxesOptions {
  /** Height and width of the picture whose pixels the boxes are in. */
  readonly size: readonly [height: number, width: number];
  /** Boxes below are dropped. Default 0.25. */
  readonly scoreThreshold?: number;
  /** Boxes of a class that overlap a better one by more are dropped. Default 0.45. */
  readonly iouThreshold?: number;
}

/**
 * Boxes of one picture from what {@link FastestDet} gives: score `objectness^0.6 · class^0.4`, centre
 * `(cell + tanh) / cells`, size `σ`, all relative to the picture; then suppression for each class.
 * @param cells `rows · columns · (5 + classes)` values. @param grid Its rows, columns and classes.
 * @returns best first, boxes in pixels of `size`
 * @throws InputError when values and grid do not fit.
 * @example
 * const found = decodeFastestDet(await read(cells), { rows: 22, columns: 22, classes: 80 }, { size: [480, 640] });
 */
export function decodeFastestDet(
  cells: ArrayLike<number>,
  grid: CellGrid,
  { size, scoreThreshold = 0.25, iouThreshold = 0.45 }: DecodeBoxesOptions,
): DetectedBox[] {
  const found = cellCandidates(cells, grid, { size, scoreThreshold });
  const kept = nonMaximumSuppression(
    found.map(({ box }) => box),
    found.map(({ score }) => score),
    { iouThreshold, classes: found.map(({ label }) => label) },
  );
  return kept.map(({ index }) => {
    const { box, label, score } = found[index];
    return { box, label, score };
  });
}

/** What each cell of {@link decodeFastestDet} speaks for, its best class. */
export function cellCandidates(
  cells: ArrayLike<number>,
  { rows, columns, classes }: CellGrid,
  {
    size: [height, width],
    scoreThreshold,
  }: { readonly size: DecodeBoxesOptions["size"]; readonly scoreThreshold: number },
): BoxCandidate[] {
  const stride = 5 + classes;
  if (cells.length !== rows * columns * stride)
    throw new InputError(
      `decodeFastestDet: expected ${rows} · ${columns} · ${stride} values, got ${cells.length}; pass one picture at a time`,
    );
  const found: BoxCandidate[] = [];
  for (let cell = 0; cell < rows * columns; cell++) {
    const start = cell * stride;
    let best = 0;
    for (let index = 1; index < classes; index++)
      if (cells[start + 5 + index] > cells[start + 5 + best]) best = index;
    const score = cells[start] ** 0.6 * cells[start + 5 + best] ** 0.4;
    if (!(score >= scoreThreshold)) continue;
    const [x, y, across, down] = [1, 2, 3, 4].map((place) => cells[start + place]);
    const box = boxFromCenter(
      ((Math.tanh(x) + (cell % columns)) / columns) * width,
      ((Math.tanh(y) + Math.floor(cell / columns)) / rows) * height,
      { width: width / (1 + Math.exp(-across)), height: height / (1 + Math.exp(-down)) },
    );
    found.push({ box, label: best, score, source: cell });
  }
  return found;
}
