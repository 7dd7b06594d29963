import { assertOptions } from "../../arguments.js";
import { formatShape, type Shape } from "../../shape.js";
import type { HostEntry } from "../dtypes.js";
import type { WeightsFile } from "../weights-file.js";
import { type MappedWeights, mapWeights } from "./map-weights.js";
import type { WeightMapping, WeightRule } from "./rules.js";
import { prefixRule, rearrangementBetween, similarNames } from "./suggestions.js";

/**
 * What became of a name: `matched`, `mis-shaped` and `missing` are names of the model; `unused`, `ignored` (by a rule) and
 * `incomplete` (a rule needs others that are not there) are names of the checkpoint.
 */
export type WeightStatus = "matched" | "mis-shaped" | "missing" | "unused" | "incomplete" | "ignored";

/** A line of a {@link WeightMatch}. */
export interface WeightMatchRow {
  readonly status: WeightStatus;
  readonly name: string;
  /** What the model expects. */
  readonly expectedShape?: Shape;
  /** What the checkpoint gives, after mapping. */
  readonly shape?: Shape;
  /** As the checkpoint's format calls it. */
  readonly dtype?: string;
  /** Names in the checkpoint. */
  readonly sources: readonly string[];
  /** The rules that led here; empty for a name that was kept. */
  readonly rules: readonly string[];
  /** What may help. */
  readonly suggestion?: string;
}

/** How a checkpoint's names meet those of a model. Plain data. */
export interface WeightMatch {
  /** Whether every name on both sides is matched or ignored. */
  readonly isComplete: boolean;
  readonly counts: Readonly<Record<WeightStatus, number>>;
  /** The model's names in their order, then the checkpoint's that are left over. */
  readonly rows: readonly WeightMatchRow[];
  /** Rules that would match more names; put them into the mapping. */
  readonly suggestedRules: readonly WeightRule[];
}

/** Options of {@link matchWeights}. */
export interface MatchOptions {
  /** How the checkpoint's names become the model's. Default: as they are. */
  readonly mapping?: WeightMapping;
}

/**
 * Shows how a checkpoint fits a model, without reading values: which name comes from where by which rule, what is
 * missing, unused or has another shape, and what may help.
 * @param weights An opened file, mapped weights, or host values by name.
 * @param expected Names and shapes of the model, such as its state dict, or of another file.
 * @throws as {@link mapWeights} does.
 * @example
 * const match = matchWeights(await readSafetensors("theirs.safetensors"), await model.stateDict(), { mapping });
 * if (!match.isComplete) console.log(formatWeightMatch(match));
 */
export function matchWeights(
  weights: WeightsFile | ReadonlyMap<string, HostEntry>,
  expected: ReadonlyMap<string, { readonly shape: Shape }> | WeightsFile,
  options: MatchOptions = {},
): WeightMatch {
  assertOptions("matchWeights", options, ["mapping"]);
  const mapped = mapWeights(weights, options.mapping ?? []);
  const shapes =
    expected instanceof Map
      ? new Map([...expected].map(([name, { shape }]): [string, Shape] => [name, shape]))
      : new Map(
          (expected as WeightsFile).names.map((name) => [name, (expected as WeightsFile).info(name).shape]),
        );
  const unused = mapped.names.filter((name) => !shapes.has(name));
  const missing = [...shapes.keys()].filter((name) => !mapped.has(name));
  const similar = similarNames(
    missing.map((name) => ({ name, shape: shapes.get(name)! })),
    unused.map((name) => ({ name, shape: mapped.info(name).shape })),
  );
  const rows = [
    ...[...shapes].map(([name, shape]) => rowOf(mapped, name, shape, similar.get(name))),
    ...unused.map((name): WeightMatchRow => {
      const { shape, dtype } = mapped.info(name);
      return { status: "unused", name, shape, dtype, ...mapped.origins.get(name)! };
    }),
    ...mapped.incomplete.flatMap(({ rule, found, missing: absent }) =>
      found.map(
        (name): WeightMatchRow => ({
          status: "incomplete",
          name,
          sources: [name],
          rules: [rule],
          suggestion: `the rule also needs ${absent.join(", ")}`,
        }),
      ),
    ),
    ...[...mapped.ignored].map(
      ([name, rule]): WeightMatchRow => ({ status: "ignored", name, sources: [name], rules: [rule] }),
    ),
  ];
  const counts = { matched: 0, "mis-shaped": 0, missing: 0, unused: 0, incomplete: 0, ignored: 0 };
  for (const { status } of rows) counts[status]++;
  const rule = prefixRule(missing, unused);
  return {
    isComplete: counts.matched + counts.ignored === rows.length,
    counts,
    rows,
    suggestedRules: rule === undefined ? [] : [rule],
  };
}

function rowOf(
  mapped: MappedWeights,
  name: string,
  expectedShape: Shape,
  similar: string | undefined,
): WeightMatchRow {
  if (!mapped.has(name)) {
    const row = { status: "missing" as const, name, expectedShape, sources: [], rules: [] };
    if (similar === undefined) return row;
    return { ...row, suggestion: `unused ${similar} ${formatShape(mapped.info(similar).shape)} is like it` };
  }
  const { shape, dtype } = mapped.info(name);
  const row = { name, expectedShape, shape, dtype, ...mapped.origins.get(name)! };
  if (formatShape(shape) === formatShape(expectedShape)) return { status: "matched", ...row };
  const suggestion = explainShape(shape, expectedShape);
  return { status: "mis-shaped", ...row, ...(suggestion === undefined ? {} : { suggestion }) };
}

function explainShape(actual: Shape, expected: Shape): string | undefined {
  const rearrange = rearrangementBetween(actual, expected);
  if (rearrange !== undefined) return `rearrange: "${rearrange}" gives the shape`;
  if (actual.length !== expected.length) return `${actual.length} axes instead of ${expected.length}`;
  const different = expected.flatMap((length, axis) => (length === actual[axis] ? [] : [axis]));
  return different.length === 1
    ? `axis ${different[0]} has ${actual[different[0]]} instead of ${expected[different[0]]}: another size of the model, vocabulary or set of classes`
    : undefined;
}

/** Wider cells are not padded to: one long name must not widen all lines. */
const MOST_WIDTH = 60;

/**
 * A match as a table for people: what does not fit first.
 * @returns lines without a break at the end
 */
export function formatWeightMatch({ counts, rows, suggestedRules }: WeightMatch): string {
  const order: WeightStatus[] = ["missing", "mis-shaped", "incomplete", "unused", "ignored", "matched"];
  const sorted = order.flatMap((status) => rows.filter((row) => row.status === status));
  const cells = sorted.map(({ status, name, shape, expectedShape, dtype, sources, rules, suggestion }) => {
    const isSame =
      shape !== undefined && expectedShape !== undefined && formatShape(shape) === formatShape(expectedShape);
    const got = shape === undefined ? "" : `${dtype} ${formatShape(shape)}`;
    const wanted = expectedShape === undefined || isSame ? "" : `expected ${formatShape(expectedShape)}`;
    const from = sources.length === 1 && sources[0] === name ? "" : sources.join(" + ");
    return [status, name, [wanted, got].filter(Boolean).join(", got "), from, suggestion ?? rules.join("; ")];
  });
  const table = [["status", "name", "shape", "from", "rule or suggestion"], ...cells];
  const widths = table[0].map((_, column) =>
    table.reduce((width, line) => Math.max(width, Math.min(line[column].length, MOST_WIDTH)), 0),
  );
  const lines = table.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column]))
      .join("  ")
      .trimEnd(),
  );
  const total = order.filter((status) => counts[status] > 0).map((status) => `${counts[status]} ${status}`);
  const rules = suggestedRules.map((rule) => `try the rule ${JSON.stringify(rule)}`);
  return [total.join(", ") || "no tensors", ...rules, "", ...lines].join("\n");
}
