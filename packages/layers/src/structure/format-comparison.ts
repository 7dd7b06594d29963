import { InputError } from "@ai/tensor";
import { assertOptionNames } from "../training/option-names.js";
import type { VariantComparison, VariantResult, VariantRun } from "./compare-variants.js";

/** Mean over the runs of a variant that did not fail. */
export interface MeanAndDeviation {
  readonly mean: number;
  /** Of the sample, divided by runs − 1; 0 for one run. */
  readonly standardDeviation: number;
  readonly runs: number;
}

/**
 * A number of a variant over its seeds, failed runs left out.
 * @returns undefined when no run has it.
 * @example
 * const accuracy = overSeeds(comparison.variants[0], ({ values }) => values.accuracy);
 */
export function overSeeds(
  variant: VariantResult,
  read: (run: VariantRun) => number | undefined,
): MeanAndDeviation | undefined {
  const values = variant.runs
    .filter(({ error }) => error === undefined)
    .map(read)
    .filter((value) => value !== undefined);
  if (values.length === 0) return undefined;
  const mean = values.reduce((total, value) => total + value, 0) / values.length;
  const squares = values.reduce((total, value) => total + (value - mean) ** 2, 0);
  const standardDeviation = values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0;
  return { mean, standardDeviation, runs: values.length };
}

/** Options of {@link formatComparison}. */
export interface FormatComparisonOptions {
  /** Default `"text"`. */
  readonly format?: "text" | "markdown";
}

/**
 * A comparison as a table: for each variant its metrics (mean ± standard deviation over the seeds), loss, parameters,
 * multiply-adds a sample, steps, seconds and memory. Failed runs are listed below.
 * @throws InputError for another format.
 */
export function formatComparison(
  comparison: VariantComparison,
  options: FormatComparisonOptions = {},
): string {
  assertOptionNames("formatComparison", options, ["format"]);
  const { format = "text" } = options;
  if (format !== "text" && format !== "markdown")
    throw new InputError(`formatComparison: expected format text or markdown, got ${String(format)}`);
  const { variants } = comparison;
  const metrics = metricNames(variants);
  const columns: readonly (readonly [title: string, cell: (variant: VariantResult) => string])[] = [
    ["variant", ({ name }) => name],
    ...metrics.map(
      (metric) =>
        [
          metric,
          (variant: VariantResult) => spread(variant, ({ values }) => values[metric], decimals),
        ] as const,
    ),
    ["parameters", ({ parameters }) => whole(parameters)],
    [
      "multiply-adds / sample",
      ({ multiplyAddsPerSample: count }) => (count === undefined ? "–" : whole(count)),
    ],
    ["steps", (variant) => spread(variant, ({ steps }) => steps, whole)],
    ["training s", (variant) => spread(variant, ({ trainSeconds }) => trainSeconds, seconds)],
    [
      "ms / sample",
      (variant) =>
        spread(
          variant,
          ({ secondsPerSample }) => (secondsPerSample === undefined ? undefined : secondsPerSample * 1000),
          threeDigits,
        ),
    ],
    ["peak MB", (variant) => spread(variant, ({ peakBytes }) => peakBytes / 1e6, threeDigits)],
  ];
  const cells = [
    columns.map(([title]) => title),
    ...variants.map((variant) => columns.map(([, cell]) => cell(variant))),
  ];
  const failures = variants.flatMap(({ name, runs }) =>
    runs.flatMap(({ error, seed, steps }) =>
      error === undefined ? [] : [`${name}, seed ${seed}: failed after ${steps} steps: ${error}`],
    ),
  );
  const table = format === "text" ? textTable(cells) : markdownTable(cells);
  if (failures.length === 0) return table;
  const list = format === "text" ? failures : failures.map((failure) => `- ${oneLine(failure)}`);
  return [table, "", ...list].join("\n");
}

/** Names of the final values, `loss` last. */
export function metricNames(variants: readonly VariantResult[]): string[] {
  const runs = variants.flatMap((variant) => variant.runs);
  const names = new Set(runs.flatMap(({ values }) => Object.keys(values)));
  const hasLoss = names.delete("loss");
  return [...names, ...(hasLoss ? ["loss"] : [])];
}

function spread(
  variant: VariantResult,
  read: (run: VariantRun) => number | undefined,
  format: (value: number) => string,
): string {
  const over = overSeeds(variant, read);
  if (over === undefined) return variant.runs.some(({ error }) => error !== undefined) ? "failed" : "–";
  const { mean, standardDeviation, runs } = over;
  return runs === 1 || standardDeviation === 0
    ? format(mean)
    : `${format(mean)} ± ${format(standardDeviation)}`;
}

const decimals = (value: number): string => value.toFixed(4);
const seconds = (value: number): string => value.toFixed(1);
const threeDigits = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));
const whole = (value: number): string => Math.round(value).toLocaleString("en-US");
const oneLine = (text: string): string => text.replaceAll(/\s*\n\s*/g, " ");

function textTable(cells: readonly (readonly string[])[]): string {
  const widths = cells[0].map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  const lines = cells.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join("  ")
      .trimEnd(),
  );
  const rule = "─".repeat(widths.reduce((total, width) => total + width + 2, -2));
  return [lines[0], rule, ...lines.slice(1)].join("\n");
}

function markdownTable([head, ...rows]: readonly (readonly string[])[]): string {
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell) => oneLine(cell).replaceAll("|", "\\|")).join(" | ")} |`;
  const rule = `| ${head.map((_, column) => (column === 0 ? "---" : "---:")).join(" | ")} |`;
  return [line(head), rule, ...rows.map(line)].join("\n");
}
