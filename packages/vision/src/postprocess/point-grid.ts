/** Where the points of a {@link PointDetector} are. */
export interface PointGrid {
  readonly count: number;
  /** Centre of each point's cell in pixels. */
  readonly x: Float32Array;
  readonly y: Float32Array;
  /** Level of each point, from fine to coarse. */
  readonly level: Uint8Array;
  /** Pixels between neighbours, by level. */
  readonly strides: readonly number[];
}

/** The points of pictures of one size. @param strides Of the feature maps, from fine to coarse; each halves the picture rounding up. */
export function pointGrid(
  [height, width]: readonly [height: number, width: number],
  strides: readonly number[],
): PointGrid {
  const levels = strides.map((stride) => ({
    stride,
    rows: Math.ceil(height / stride),
    columns: Math.ceil(width / stride),
  }));
  const count = levels.reduce((total, { rows, columns }) => total + rows * columns, 0);
  const grid: PointGrid = {
    count,
    x: new Float32Array(count),
    y: new Float32Array(count),
    level: new Uint8Array(count),
    strides,
  };
  let point = 0;
  levels.forEach(({ stride, rows, columns }, level) => {
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++, point++) {
        grid.x[point] = (column + 0.5) * stride;
        grid.y[point] = (row + 0.5) * stride;
        grid.level[point] = level;
      }
  });
  return grid;
}
