import { InputError } from "@ai/tensor";

/** A row and the column that it was given. */
export type Assignment = readonly [row: number, column: number];

/**
 * Pairs rows with columns, each at most once and as many as possible, so that the sum of their costs is smallest
 * (shortest augmenting paths, O(n³)).
 * @param costs Row-major, finite. @param size Rows and columns.
 * @returns pairs by ascending row, as many as the smaller side
 * @throws InputError for costs that are not finite or do not fit the size.
 * @see Crouse (2016), "On implementing 2D rectangular assignment algorithms", https://doi.org/10.1109/TAES.2016.140952
 * @example
 * assignHungarian([4, 1, 3, 2, 0, 5], { rows: 2, columns: 3 }); // [[0, 1], [1, 0]]
 */
export function assignHungarian(
  costs: ArrayLike<number>,
  { rows, columns }: { readonly rows: number; readonly columns: number },
): Assignment[] {
  if (costs.length !== rows * columns)
    throw new InputError(
      `assignHungarian: expected ${rows} by ${columns} costs, got ${costs.length} numbers`,
    );
  for (let index = 0; index < costs.length; index++)
    if (!Number.isFinite(costs[index]))
      throw new InputError(
        `assignHungarian: expected finite costs, got ${costs[index]} at position ${index}`,
      );
  if (rows <= columns) return solve((row, column) => costs[row * columns + column], rows, columns);
  return solve((row, column) => costs[column * columns + row], columns, rows)
    .map(([row, column]): Assignment => [column, row])
    .sort((a, b) => a[0] - b[0]);
}

/** For at most as many rows as columns. */
function solve(cost: (row: number, column: number) => number, rows: number, columns: number): Assignment[] {
  const rowPrice = new Float64Array(rows);
  const columnPrice = new Float64Array(columns);
  const rowOf = new Int32Array(columns).fill(-1);
  for (let start = 0; start < rows; start++) {
    const shortest = new Float64Array(columns).fill(Number.POSITIVE_INFINITY);
    const before = new Int32Array(columns).fill(-1); // row from which a column was reached
    const isDone = new Uint8Array(columns);
    const visited: number[] = [];
    let row = start;
    let length = 0;
    let sink = -1;
    while (sink < 0) {
      visited.push(row);
      let nearest = -1;
      for (let column = 0; column < columns; column++) {
        if (isDone[column]) continue;
        const path = length + cost(row, column) - rowPrice[row] - columnPrice[column];
        if (path < shortest[column]) {
          shortest[column] = path;
          before[column] = row;
        }
        const isNearer = nearest < 0 || shortest[column] < shortest[nearest];
        const isFreeTie = nearest >= 0 && shortest[column] === shortest[nearest] && rowOf[column] < 0;
        if (isNearer || isFreeTie) nearest = column;
      }
      length = shortest[nearest];
      isDone[nearest] = 1;
      if (rowOf[nearest] < 0) sink = nearest;
      else row = rowOf[nearest];
    }
    const columnOf = new Map<number, number>();
    rowOf.forEach((owner, column) => {
      if (owner >= 0) columnOf.set(owner, column);
    });
    rowPrice[start] += length;
    for (const other of visited.slice(1)) rowPrice[other] += length - shortest[columnOf.get(other)!];
    for (let column = 0; column < columns; column++)
      if (isDone[column]) columnPrice[column] -= length - shortest[column];
    for (let column = sink; ; ) {
      const owner = before[column];
      rowOf[column] = owner;
      if (owner === start) break;
      column = columnOf.get(owner)!;
    }
  }
  return Array.from(rowOf, (row, column): Assignment => [row, column])
    .filter(([row]) => row >= 0)
    .sort((a, b) => a[0] - b[0]);
}
