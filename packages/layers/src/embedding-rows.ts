import { equal, expandDims, gather, stopGradient, type Tensor, where } from "@ai/tensor";

/**
 * Row `id` for each id; the row of padding gets no gradient.
 * @param table `[rows, dim]`
 * @param ids `[...]` int32
 * @returns `[..., dim]`
 */
export function gatherRows(table: Tensor, ids: Tensor, paddingIdx: number | undefined): Tensor {
  const rows = gather(table, ids); // [..., dim]
  if (paddingIdx === undefined) return rows;
  const isPadding = expandDims(equal(ids, paddingIdx), -1); // [..., 1]
  return where(isPadding, stopGradient(rows), rows);
}
