import { dispose, InputError, noGrad, type Tensor, tensor, where } from "@ai/tensor";
import { formatShape, sizesOf } from "../checks.js";
import type { AnyModule } from "../module.js";
import { EXPLAIN_OPTIONS, type ExplainOptions, type Explanation, type OutputOf } from "./explain-options.js";
import { baselineOf } from "./points.js";
import { Subject, takeRows } from "./subject.js";

/** Options of {@link occlusion}. One number for all axes of positions, or one each. */
export interface OcclusionOptions<Output = Tensor> extends ExplainOptions<Output> {
  /** Positions that are hidden at once, all their channels. Default 1. */
  readonly window?: number | readonly number[];
  /** How far the window moves. Default 1. */
  readonly stride?: number | readonly number[];
  /** What stands in the window: a number (a token's id for ids), or a tensor like the input or one sample of it. Default 0. */
  readonly baseline?: number | Tensor;
}

/**
 * How much the target falls when a window of the input is hidden: for each position the mean of `F(x) − F(x hidden)` over
 * the windows that cover it. It needs no gradient: token ids are an input as good as images.
 * @param x `[batch, ...positions, channels]`, vectors `[batch, features]` or ids `[batch, length]`
 * @returns `values` `[batch, ...positions]`, for vectors and ids the shape of `x`; 0 where no window came
 * @throws InputError or ShapeError for a window, target or options that do not fit; the signal's reason.
 * @see Zeiler, Fergus (2014), "Visualizing and understanding convolutional networks", https://arxiv.org/abs/1311.2901
 * @example
 * const words = await occlusion(model, ids, { baseline: maskId }); // ids and words.shape [batch, length]
 */
export async function occlusion<Model extends AnyModule>(
  model: Model,
  x: Tensor,
  options: OcclusionOptions<OutputOf<Model>> = {},
): Promise<Explanation> {
  const names = [...EXPLAIN_OPTIONS, "window", "stride", "baseline"];
  const subject = new Subject("occlusion", { model, x, names }, options);
  const { baseline = 0 } = options;
  const positions = x.shape.length === 2 ? x.shape.slice(1) : x.shape.slice(1, -1);
  const axes = positions.length;
  const window = sizesOf("occlusion", "window", options.window ?? 1, { axes, minimum: 1 });
  const stride = sizesOf("occlusion", "stride", options.stride ?? 1, { axes, minimum: 1 });
  if (window.some((cells, axis) => cells > positions[axis] || stride[axis] > cells))
    throw new InputError(
      `occlusion: expected a window within ${formatShape(positions)} and a stride of at most the window, got ${formatShape(window)} and ${formatShape(stride)}`,
    );
  const scores = await subject.begin();
  const starts = windowStarts(positions, { window, stride });
  const cells = positions.reduce((product, length) => product * length, 1);
  const covered = starts.map((start) => coveredCells(positions, start, window));
  const falls = new Float64Array(subject.batch * cells);
  const counts = new Float64Array(cells);
  for (const hidden of covered) for (const cell of hidden) counts[cell]++;
  const hiding = baselineOf("occlusion", x, baseline);
  try {
    const hiddenScores = (rows: number[]): Tensor[] => {
      const samples = rows.map((row) => Math.floor(row / starts.length));
      const mask = new Uint8Array(rows.length * cells);
      rows.forEach((row, index) => {
        for (const cell of covered[row % starts.length]) mask[index * cells + cell] = 1;
      });
      const shape = [rows.length, ...positions, ...(x.shape.length === 2 ? [] : [1])];
      const input = where(tensor(mask, shape), takeRows(hiding, samples), subject.take(samples));
      return [noGrad(() => subject.score(samples, input))];
    };
    await subject.forEachBatch(subject.batch * starts.length, hiddenScores, (rows, [values]) => {
      rows.forEach((row, index) => {
        const sample = Math.floor(row / starts.length);
        for (const cell of covered[row % starts.length])
          falls[sample * cells + cell] += scores[sample] - values[index];
      });
    });
  } finally {
    dispose(hiding);
  }
  return {
    values: Float32Array.from(falls, (fall, at) => fall / Math.max(1, counts[at % cells])),
    shape: [subject.batch, ...positions],
    scores,
    classes: subject.classes,
  };
}

interface Windows {
  readonly window: readonly number[];
  readonly stride: readonly number[];
}

/** First corners of the windows; a last one may reach beyond the end. */
function windowStarts(positions: readonly number[], { window, stride }: Windows): number[][] {
  return positions.reduce<number[][]>(
    (corners, length, axis) => {
      const count = Math.ceil((length - window[axis]) / stride[axis]) + 1;
      return corners.flatMap((corner) =>
        Array.from({ length: count }, (_, index) => [...corner, index * stride[axis]]),
      );
    },
    [[]],
  );
}

/** Cells of a window, counted row by row over the positions. */
function coveredCells(
  positions: readonly number[],
  start: readonly number[],
  window: readonly number[],
): number[] {
  return positions.reduce<number[]>(
    (cells, length, axis) => {
      const end = Math.min(length, start[axis] + window[axis]);
      const own = Array.from({ length: end - start[axis] }, (_, step) => start[axis] + step);
      return cells.flatMap((cell) => own.map((at) => cell * length + at));
    },
    [0],
  );
}
