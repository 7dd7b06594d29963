import { escapeXml } from "../../structure/chart-parts.js";
import { formatColumns } from "../../structure/format-columns.js";
import { formatDuration } from "../callbacks/progress-bar.js";
import type { ComparedRun, RunComparison, RunValue } from "./compare-runs.js";
import type { ConfigValue } from "./run-record.js";

/** A number in a table. */
export function shown(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(2) : value.toFixed(4);
}

/** A setting in a table; nothing where a run lacks it. */
export function shownSetting(value: ConfigValue | undefined): string {
  return value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value);
}

/** How far a run came: `finished`, `stopped: REASON`; empty when it does not say. */
export function shownEnd({ outcome, reason }: ComparedRun): string {
  return outcome === undefined ? "" : reason === undefined ? outcome : `${outcome}: ${reason}`;
}

function shownValue(value: RunValue | undefined, isBest: boolean): [last: string, best: string] {
  if (value === undefined) return ["", ""];
  return [shown(value.last), `${shown(value.best)} @${value.bestEpoch}${isBest ? " *" : "  "}`];
}

/**
 * A comparison as text: a table with a run a row, each value after the last epoch and at its best (`@EPOCH`, `*` marks the
 * best run), and what is different in the configurations.
 * @example
 * console.log(formatRuns(await compareRuns("runs")));
 */
export function formatRuns({ runs, values, differences }: RunComparison): string {
  const rows = [
    ["run", "epochs", "steps", "time", ...values.flatMap(({ name }) => [name, "best"])],
    ...runs.map((run) => [
      run.name,
      String(run.epochs.length),
      String(run.step),
      formatDuration(run.seconds),
      ...values.flatMap(({ name, bestRun }) => shownValue(run.values[name], bestRun === run.name)),
    ]),
  ];
  const table = formatColumns(rows);
  if (differences.length === 0) return table;
  const settings = [
    ["setting", ...runs.map(({ name }) => name)],
    ...differences.map(({ name, values: each }) => [name, ...each.map(shownSetting)]),
  ];
  return `${table}\n\n${formatColumns(settings)}`;
}

/** The same tables in HTML. */
export function htmlTables(
  { runs, values, differences }: RunComparison,
  color: (run: number) => string,
): string {
  const cell = (text: string, kind = "td", attributes = ""): string =>
    `<${kind}${attributes}>${escapeXml(text)}</${kind}>`;
  const head = ["run", "epochs", "steps", "time", "end", ...values.flatMap(({ name }) => [name, "best"])];
  const body = runs.map((run, index) => {
    const cells = values.flatMap(({ name, bestRun }) => {
      const [last, best] = shownValue(run.values[name], false);
      return [cell(last), cell(best.trim(), "td", bestRun === run.name ? ' class="best"' : "")];
    });
    const mark = `<span class="mark" style="background:${color(index)}"></span>`;
    const first = `<th scope="row">${mark}${escapeXml(run.name)}</th>`;
    const rest = [String(run.epochs.length), String(run.step), formatDuration(run.seconds), shownEnd(run)];
    return `<tr>${first}${rest.map((text) => cell(text)).join("")}${cells.join("")}</tr>`;
  });
  const table = `<table><thead><tr>${head.map((name) => cell(name, "th")).join("")}</tr></thead><tbody>${body.join("\n")}</tbody></table>`;
  if (differences.length === 0) return table;
  const settings = differences.map(
    ({ name, values: each }) =>
      `<tr>${cell(name, "th", ' scope="row"')}${each.map((value) => cell(shownSetting(value))).join("")}</tr>`,
  );
  const names = runs.map(({ name }) => cell(name, "th")).join("");
  return `${table}\n<h2>What is different</h2>\n<table><thead><tr><th>setting</th>${names}</tr></thead><tbody>${settings.join("\n")}</tbody></table>`;
}
