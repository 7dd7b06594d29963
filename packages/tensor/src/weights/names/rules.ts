import { InputError } from "../../errors.js";
import { type NamePattern, parsePattern } from "./pattern.js";
import { parseRearrangement, type Rearrangement } from "./rearrange.js";

/** One name becomes another; `rearrange` says how its axes go along. */
export interface RenameRule {
  /** `encoder.{i}.{rest*}`: `{x}` is one segment between dots, `{x*}` any text. */
  readonly from: string;
  /** With the same placeholders. */
  readonly to: string;
  /** `"out in -> in out"`, `"out in 1 -> out in"`, `"(heads two dim) in -> (heads dim two) in"`. */
  readonly rearrange?: string;
  /** Lengths of axes in parentheses that the shape does not tell. */
  readonly sizes?: Readonly<Record<string, number>>;
  /** Equal parts of an axis in another order, such as an LSTM's gates: part `i` of the result is part `parts[i]`. */
  readonly order?: { readonly axis: number; readonly parts: readonly number[] };
}

/** Several values side by side along an axis are one, such as fused queries, keys and values. */
export interface JoinRule {
  /** The one, or the several. */
  readonly from: string | readonly string[];
  /** The several, or the one. */
  readonly to: string | readonly string[];
  /** Along which axis; `sizes` are proportions (`[8, 2, 2]` heads), equal when left out. */
  readonly join: { readonly axis: number; readonly sizes?: readonly number[] };
}

/** Values with a running number (0, 1, 2 …) are one with an axis more, such as experts. */
export interface StackRule {
  /** The side with the placeholder has the several; it stands there alone. */
  readonly from: string;
  readonly to: string;
  readonly stack: { readonly placeholder: string; readonly axis: number };
}

/**
 * Weight normalisation: `weight = g · v / ‖v‖`, the norm over all axes but `axis`. Back, `v` is the weight itself.
 * @see Salimans and Kingma, "Weight Normalization", 2016, https://arxiv.org/abs/1602.07868
 */
export interface WeightNormRule {
  /** `[g, v]`, or the weight. */
  readonly from: string | readonly [g: string, v: string];
  /** The weight, or `[g, v]`. */
  readonly to: string | readonly [g: string, v: string];
  readonly weightNorm: { readonly axis: number };
}

/** Names that have no counterpart and are left out, such as `{p*}position_ids`. */
export interface IgnoreRule {
  readonly ignore: string;
}

/** A rule of a mapping; plain data, so that it can be stored as JSON. */
export type WeightRule = RenameRule | JoinRule | StackRule | WeightNormRule | IgnoreRule;

/** How names and layouts of one checkpoint become those of another: for each name the first rule that fits. */
export type WeightMapping = readonly WeightRule[];

export type Layout =
  | { readonly kind: "rename"; readonly rearrangement?: Rearrangement; readonly order?: RenameRule["order"] }
  | { readonly kind: "join" | "split"; readonly axis: number; readonly sizes: readonly number[] }
  | { readonly kind: "stack" | "unstack"; readonly axis: number; readonly placeholder: string }
  | { readonly kind: "weightNorm" | "splitNorm"; readonly axis: number }
  | { readonly kind: "ignore" };

/** A rule that was checked. */
export interface ParsedRule {
  /** What a report calls it. */
  readonly label: string;
  readonly from: readonly NamePattern[];
  readonly to: readonly NamePattern[];
  readonly layout: Layout;
}

const FIELDS = ["from", "to", "rearrange", "sizes", "order", "join", "stack", "weightNorm", "ignore"];
const list = (value: string | readonly string[]): readonly string[] =>
  typeof value === "string" ? [value] : value;

/**
 * Checks a mapping.
 * @throws InputError for a rule that is none, or whose two sides have other placeholders.
 */
export function parseMapping(operation: string, mapping: WeightMapping): ParsedRule[] {
  if (!Array.isArray(mapping))
    throw new InputError(`${operation}: expected a mapping as an array of rules, got ${typeof mapping}`);
  return (mapping as WeightMapping).map((rule, index) => parseRule(`${operation}: rule ${index}`, rule));
}

function parseRule(operation: string, rule: WeightRule): ParsedRule {
  const fail = (expected: string, got: string): never => {
    throw new InputError(`${operation}: expected ${expected}, got ${got}`);
  };
  if (typeof rule !== "object" || rule === null) return fail("an object", String(rule));
  for (const field of Object.keys(rule))
    if (!FIELDS.includes(field)) return fail(`fields ${FIELDS.join(", ")}`, field);
  if ("ignore" in rule) {
    if (Object.keys(rule).length > 1) return fail("ignore alone", Object.keys(rule).join(", "));
    return {
      label: `ignore ${rule.ignore}`,
      from: [parsePattern(operation, rule.ignore)],
      to: [],
      layout: { kind: "ignore" },
    };
  }
  const from = list(rule.from ?? "").map((text) => parsePattern(operation, text));
  const to = list(rule.to ?? "").map((text) => parsePattern(operation, text));
  const layout = layoutOf(operation, rule, from.length, to.length);
  const free = layout.kind === "stack" || layout.kind === "unstack" ? layout.placeholder : undefined;
  const names = (pattern: NamePattern): string =>
    pattern.placeholders
      .filter((placeholder) => placeholder !== free)
      .sort()
      .join(", ");
  for (const pattern of [...from, ...to])
    if (names(pattern) !== names(from[0]))
      return fail(`the placeholders {${names(from[0])}} in every name`, `${JSON.stringify(pattern.text)}`);
  if (free !== undefined) {
    const [several, one] = layout.kind === "stack" ? [from[0], to[0]] : [to[0], from[0]];
    if (!several.placeholders.includes(free) || one.placeholders.includes(free))
      return fail(`{${free}} on one side only`, `${from[0].text} and ${to[0].text}`);
  }
  const texts = (patterns: readonly NamePattern[]): string => patterns.map(({ text }) => text).join(" + ");
  return { label: `${texts(from)} → ${texts(to)}`, from, to, layout };
}

function layoutOf(
  operation: string,
  rule: Exclude<WeightRule, IgnoreRule>,
  from: number,
  to: number,
): Layout {
  const fail = (expected: string, got: string): never => {
    throw new InputError(`${operation}: expected ${expected}, got ${got}`);
  };
  const kinds = ["join", "stack", "weightNorm"].filter((kind) => kind in rule);
  if (kinds.length > 1) return fail("one of join, stack and weightNorm", kinds.join(" and "));
  const extra = ["rearrange", "sizes", "order"].filter((field) => field in rule);
  if (kinds.length === 1 && extra.length > 0)
    return fail(`a rename for ${extra.join(" and ")}`, `${kinds[0]}; add a mapping`);
  const axisOf = ({ axis }: { readonly axis: number }): number =>
    Number.isInteger(axis) && axis >= 0 ? axis : fail("an axis of 0 or more", String(axis));
  if ("join" in rule) {
    const count = Math.max(from, to);
    if (Math.min(from, to) !== 1 || count < 2)
      return fail("one name on one side and several on the other", `${from} and ${to}`);
    const sizes = rule.join.sizes ?? new Array<number>(count).fill(1);
    if (sizes.length !== count || !sizes.every((size) => size > 0))
      return fail(`${count} sizes above 0`, `[${sizes.join(", ")}]`);
    return { kind: from > 1 ? "join" : "split", axis: axisOf(rule.join), sizes };
  }
  if ("weightNorm" in rule) {
    if (Math.min(from, to) !== 1 || Math.max(from, to) !== 2)
      return fail("[g, v] on one side and the weight on the other", `${from} and ${to} names`);
    return { kind: from === 2 ? "weightNorm" : "splitNorm", axis: axisOf(rule.weightNorm) };
  }
  if (from !== 1 || to !== 1)
    return fail("one name on each side", `${from} and ${to}; say join or weightNorm for several`);
  if ("stack" in rule) {
    const { placeholder } = rule.stack;
    const isSeveral = new RegExp(`\\{${placeholder}\\}`).test(rule.from);
    return { kind: isSeveral ? "stack" : "unstack", axis: axisOf(rule.stack), placeholder };
  }
  const { rearrange, sizes, order } = rule as RenameRule;
  if (sizes !== undefined && rearrange === undefined) return fail("sizes with rearrange", "sizes alone");
  if (order !== undefined) {
    axisOf(order);
    if ([...order.parts].sort((a, b) => a - b).some((part, index) => part !== index))
      return fail("order.parts with each of 0, 1 … once", `[${order.parts.join(", ")}]`);
  }
  return {
    kind: "rename",
    ...(rearrange === undefined
      ? {}
      : { rearrangement: parseRearrangement(operation, rearrange, sizes ?? {}) }),
    ...(order === undefined ? {} : { order }),
  };
}

/**
 * The mapping that leads back: from what `mapping` gives to what it took. Ignored names do not come back, and of weight
 * normalisation another `v` of the same weight does.
 * @throws InputError for a mapping that is none.
 * @example
 * const foreign = mapWeights(await model.stateDict(), invertMapping(mapping));
 */
export function invertMapping(mapping: WeightMapping): WeightMapping {
  parseMapping("invertMapping", mapping);
  return mapping
    .filter((rule): rule is Exclude<WeightRule, IgnoreRule> => !("ignore" in rule))
    .map((rule) => {
      const swapped = { ...rule, from: rule.to, to: rule.from } as Exclude<WeightRule, IgnoreRule>;
      if (!("rearrange" in rule) && !("order" in rule)) return swapped;
      const { rearrange, order } = rule as RenameRule;
      if (rearrange !== undefined && order !== undefined)
        throw new InputError(
          "invertMapping: expected rearrange or order in a rule, got both; use two mappings",
        );
      return {
        ...swapped,
        ...(rearrange === undefined
          ? {}
          : { rearrange: rearrange.split("->").reverse().join(" -> ").trim() }),
        ...(order === undefined
          ? {}
          : { order: { axis: order.axis, parts: order.parts.map((_, part) => order.parts.indexOf(part)) } }),
      } as WeightRule;
    });
}
