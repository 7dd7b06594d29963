/** Height and width of a picture inside a padded batch. */
export type PaddedSize = readonly [height: number, width: number];

/** What a padded batch hides and where its cells lie. */
export interface PaddedGrid {
  /** `batch · rows · columns` values, 1 where a cell shows the picture. */
  readonly visible: Uint8Array;
  /** `batch · rows · columns · dim` values. */
  readonly positions: Float32Array;
}

/**
 * Sines and cosines of a cell's place in its picture, from 0 to 2π: rows in the first half of `dim`, columns in the second.
 * Computed on the host: WGSL promises too few digits of a sine.
 * @see Carion et al. (2020), https://arxiv.org/abs/2005.12872, appendix A.4
 */
export function sinePositions(
  sizes: readonly PaddedSize[],
  {
    image: [height, width],
    grid: [rows, columns],
    dim,
  }: { readonly image: PaddedSize; readonly grid: PaddedSize; readonly dim: number },
): PaddedGrid {
  const half = dim / 2;
  const visible = new Uint8Array(sizes.length * rows * columns);
  const positions = new Float32Array(visible.length * dim);
  const frequencies = Array.from(
    { length: half },
    (_, index) => 10000 ** ((2 * Math.floor(index / 2)) / half),
  );
  const write = (start: number, place: number): void => {
    frequencies.forEach((frequency, index) => {
      positions[start + index] = index % 2 === 0 ? Math.sin(place / frequency) : Math.cos(place / frequency);
    });
  };
  let cell = 0;
  for (const [validHeight, validWidth] of sizes) {
    // nearest-neighbour reduction of the pixels' mask
    const isRow = (row: number): boolean => Math.floor((row * height) / rows) < validHeight;
    const isColumn = (column: number): boolean => Math.floor((column * width) / columns) < validWidth;
    const validRows = Array.from({ length: rows }, (_, row) => isRow(row)).filter(Boolean).length;
    const validColumns = Array.from({ length: columns }, (_, column) => isColumn(column)).filter(
      Boolean,
    ).length;
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++, cell++) {
        visible[cell] = row < validRows && column < validColumns ? 1 : 0;
        // a count of visible cells up to here, as a share of all in this column or row
        const down = column < validColumns ? Math.min(row + 1, validRows) / (validRows + 1e-6) : 0;
        const across = row < validRows ? Math.min(column + 1, validColumns) / (validColumns + 1e-6) : 0;
        write(cell * dim, down * 2 * Math.PI);
        write(cell * dim + half, across * 2 * Math.PI);
      }
  }
  return { visible, positions };
}
