/**
 * Rows as text in columns, a rule under the first; the first `leftColumns` columns are aligned left, numbers right.
 * @param rows As many cells each.
 */
export function formatColumns(rows: readonly (readonly string[])[], leftColumns = 1): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((cells) => cells[column].length)));
  const lines = rows.map((cells) =>
    cells
      .map((cell, column) =>
        column < leftColumns ? cell.padEnd(widths[column]) : cell.padStart(widths[column]),
      )
      .join("  ")
      .trimEnd(),
  );
  const rule = "─".repeat(widths.reduce((total, width) => total + width + 2, -2));
  return [lines[0], rule, ...lines.slice(1), rule].join("\n");
}
