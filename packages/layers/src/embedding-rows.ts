import {
  add,
  customGradient,
  div,
  equal,
  expandDims,
  gather,
  greater,
  InputError,
  indexAdd,
  isRecording,
  logicalAnd,
  mul,
  noGrad,
  norm,
  reshape,
  sgdUpdate,
  stopGradient,
  sub,
  type Tensor,
  tidy,
  where,
  zeros,
  zerosLike,
} from "@ai/tensor";
import type { Parameter } from "./parameter.js";

/**
 * Row `id` for each id; the row of padding gets no gradient.
 * @param table `[rows, dim]`
 * @param ids `[...]` int32
 * @param options `scaleGradByFreq`: a row's gradient is the mean over the places where it stands, instead of the sum.
 * @returns `[..., dim]`
 */
export function gatherRows(
  table: Tensor,
  ids: Tensor,
  paddingIdx: number | undefined,
  { scaleGradByFreq = false }: { readonly scaleGradByFreq?: boolean } = {},
): Tensor {
  const rows = gather(table, ids); // [..., dim]
  const scaled = scaleGradByFreq && isRecording() ? scaleGradient(rows, shares(table, ids)) : rows;
  if (paddingIdx === undefined) return scaled;
  const isPadding = expandDims(equal(ids, paddingIdx), -1); // [..., 1]
  return where(isPadding, stopGradient(scaled), scaled);
}

/** How often each id below `rows` occurs. @returns `[rows, 1]` */
function countIds(rows: number, ids: Tensor): Tensor {
  return indexAdd(zeros([rows, 1]), reshape(ids, [ids.size]), zeros([ids.size, 1], "float32", 1));
}

/** One by the number of places where the same id stands. @returns `[..., 1]` */
function shares(table: Tensor, ids: Tensor): Tensor {
  return div(1, gather(countIds(table.shape[0], ids), ids));
}

/** `x` itself, with a gradient times `factor`. */
const scaleGradient = (x: Tensor, factor: Tensor): Tensor =>
  customGradient(
    (value) => value,
    (dy, [, scale]) => [mul(dy, scale), zerosLike(scale)],
  )(x, factor);

/** Largest norm of a row. */
export interface NormLimit {
  readonly maxNorm: number;
  /** The p of the p-norm. */
  readonly normType: number;
}

/**
 * Shortens the rows of these ids in place, `row · maxNorm / (‖row‖ + 1e-7)` where the norm is above: PyTorch's number.
 * @param table `[rows, dim]`; with `rowAxis` 1 `[dim, rows]`
 * @param ids `[...]` int32
 * @throws InputError for a table that is computed or of few bits, or that was used before in the gradient being recorded.
 */
export function limitRows(
  table: Parameter,
  ids: Tensor,
  { maxNorm, normType }: NormLimit,
  rowAxis: 0 | 1 = 0,
): void {
  if (table.derived)
    throw new InputError(
      "expected a stored float32 table for maxNorm, got one that is computed or quantized; leave maxNorm out",
    );
  const before = table.value;
  const target = {
    get value() {
      return table.value;
    },
    set value(tensor: Tensor) {
      table.setValue(tensor);
    },
  };
  noGrad(() =>
    tidy(() => {
      const lengths = norm(before, { order: normType, axes: 1 - rowAxis, keepDims: true }); // [rows, 1]
      const counts = reshape(countIds(lengths.size, ids), lengths.shape); // [rows, 1]
      const exceeds = logicalAnd(greater(counts, 0), greater(lengths, maxNorm));
      const shortened = mul(before, div(maxNorm, add(lengths, 1e-7)));
      // in place, so that a gradient with respect to the table still finds it
      sgdUpdate(target, where(exceeds, sub(before, shortened), 0), { learningRate: 1 });
    }),
  );
  if (isRecording() && table.value !== before)
    throw new InputError(
      "expected a table that nothing before needs for its gradient, got one in use: maxNorm changes it; call the embedding first",
    );
}

/** @throws InputError unless the limit is in range. @returns undefined without one */
export function normLimit(
  layer: string,
  { maxNorm, normType }: { readonly maxNorm?: number; readonly normType?: number },
): NormLimit | undefined {
  if (maxNorm === undefined) {
    if (normType !== undefined)
      throw new InputError(`${layer}: expected normType only with maxNorm, got ${normType} alone`);
    return undefined;
  }
  if (
    !(maxNorm > 0 && Number.isFinite(maxNorm)) ||
    Number.isNaN(normType) ||
    typeof (normType ?? 2) !== "number"
  )
    throw new InputError(
      `${layer}: expected a finite maxNorm above 0 and a normType, got ${maxNorm} and ${normType}`,
    );
  return { maxNorm, normType: normType ?? 2 };
}
