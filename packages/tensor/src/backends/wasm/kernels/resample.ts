import type { ResampleTable } from "../../../ops/resample.js";
import type { WasmBackend } from "../backend.js";

/** Where the arrays of a table lie, and how many input cells a result has on average. */
interface PlacedTable {
  readonly starts: number;
  readonly offsets: number;
  readonly weights: number;
  readonly count: number;
  readonly taps: number;
}

/** Bytes that {@link placeTable} fills. */
export const tableBytes = ({ starts, offsets, weights }: ResampleTable): number =>
  4 * (starts.length + offsets.length + weights.length);

/** Copies a table to an address. */
export function placeTable(backend: WasmBackend, table: ResampleTable, address: number): PlacedTable {
  const { int32, float32 } = backend.runtime;
  const { starts, offsets, weights } = table;
  const count = starts.length;
  const first = address >>> 2;
  int32.set(starts, first);
  int32.set(offsets, first + count);
  float32.set(weights, first + 2 * count + 1);
  return {
    starts: address,
    offsets: address + 4 * count,
    weights: address + 4 * (2 * count + 1),
    count,
    taps: weights.length / Math.max(1, count),
  };
}

/** Applies a table along the middle axis of `[outer, length, inner]`, by address. */
export function resampleAxis(
  backend: WasmBackend,
  source: number,
  target: number,
  { starts, offsets, weights, count, taps }: PlacedTable,
  [outer, length, inner]: readonly number[],
): void {
  backend.exports.resample(source, starts, offsets, weights, target, outer, length, inner, count, taps);
}
