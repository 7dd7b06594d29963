/** One line of a table of before and after: a name, and numbers by column. */
export interface Row {
  readonly name: string;
  readonly [column: string]: string | number;
}

/** Rows in columns, the first aligned left. */
export function formatTable(rows: readonly Row[]): string {
  const columns = Object.keys(rows[0]);
  const cells = [
    columns.map((column) => (column === "name" ? "" : column)),
    ...rows.map((row) => columns.map((column) => text(row[column]))),
  ];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => line[index].length)));
  return cells
    .map((line) =>
      line
        .map((cell, index) => (index === 0 ? cell.padEnd(widths[index]) : cell.padStart(widths[index])))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function text(value: string | number | undefined): string {
  if (typeof value !== "number") return value ?? "";
  return Number.isInteger(value) ? value.toLocaleString("en-US") : value.toPrecision(3);
}

/** A share as percent. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
