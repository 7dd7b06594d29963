import { InputError, WeightsError } from "../../errors.js";
import type { HostEntry } from "../dtypes.js";
import { type LazyEntry, LazyWeights, type WeightsFile } from "../weights-file.js";
import { planLayout } from "./layouts.js";
import { type ParsedRule, parseMapping, type WeightMapping } from "./rules.js";

/** Where a mapped name comes from. */
export interface WeightOrigin {
  /** Names in the checkpoint that was mapped; through several mappings, in the first one. */
  readonly sources: readonly string[];
  /** The rules that made it, first one first; empty when no rule fits and the name is kept. */
  readonly rules: readonly string[];
}

/** Names that a rule of several takes, while others that it needs are not there. */
export interface IncompleteGroup {
  readonly rule: string;
  readonly found: readonly string[];
  readonly missing: readonly string[];
}

/** Weights of another checkpoint under other names and in other layouts; values are read when asked for. */
export class MappedWeights extends LazyWeights {
  /** By name, where each comes from. */
  readonly origins: ReadonlyMap<string, WeightOrigin>;
  /** Names of the checkpoint that a rule leaves out, with the rule. */
  readonly ignored: ReadonlyMap<string, string>;
  /** Names that could not be mapped since their companions are missing. */
  readonly incomplete: readonly IncompleteGroup[];
  /** Names that the inverted mapping would not lead back to where they came from. */
  readonly oneWay: readonly string[];

  /** @internal Use {@link mapWeights}. */
  constructor(
    entries: ReadonlyMap<string, LazyEntry>,
    {
      origins,
      ignored,
      incomplete,
      oneWay,
    }: Pick<MappedWeights, "origins" | "ignored" | "incomplete" | "oneWay">,
  ) {
    super("mapWeights", entries);
    this.origins = origins;
    this.ignored = ignored;
    this.incomplete = incomplete;
    this.oneWay = oneWay;
  }
}

/** Weights that are in memory already, such as a state dict, as a file's would be. */
function hostFile(entries: ReadonlyMap<string, HostEntry>): WeightsFile {
  return new LazyWeights(
    "weights",
    new Map(
      [...entries].map(([name, host]): [string, LazyEntry] => [
        name,
        {
          dtype: host.dtype,
          shape: host.shape,
          where: `tensor ${JSON.stringify(name)}`,
          load: async () => host,
        },
      ]),
    ),
  );
}

interface Group {
  readonly rule: ParsedRule;
  readonly bindings: ReadonlyMap<string, string>;
  /** Names by their place: in the rule, or their number in a stack. */
  readonly members: Map<number, string>;
}

/** The place that a name takes in a rule, and what the group's placeholders are. */
function placeIn(
  rule: ParsedRule,
  name: string,
): { place: number; bindings: Map<string, string> } | undefined {
  for (const [index, pattern] of rule.from.entries()) {
    const found = pattern.match(name);
    if (found === undefined) continue;
    const bindings = new Map(found);
    if (rule.layout.kind !== "stack") return { place: index, bindings };
    const number = bindings.get(rule.layout.placeholder)!;
    if (!/^(?:0|[1-9]\d{0,8})$/.test(number)) continue;
    bindings.delete(rule.layout.placeholder);
    return { place: Number(number), bindings };
  }
  return undefined;
}

function missingOf({ rule, bindings, members }: Group): string[] {
  if (rule.layout.kind !== "stack")
    return rule.from.flatMap((pattern, place) => (members.has(place) ? [] : [pattern.fill(bindings)]));
  const { placeholder } = rule.layout;
  // a hostile number must not make a list as long
  for (let place = 0; place < members.size; place++)
    if (!members.has(place)) return [rule.from[0].fill(new Map([...bindings, [placeholder, String(place)]]))];
  return [];
}

function targetsOf({ rule, bindings }: Group, count: number): string[] {
  if (rule.layout.kind !== "unstack") return rule.to.map((pattern) => pattern.fill(bindings));
  const { placeholder } = rule.layout;
  return Array.from({ length: count }, (_, number) =>
    rule.to[0].fill(new Map([...bindings, [placeholder, String(number)]])),
  );
}

/** Whether the inverted mapping takes the name with the rule that made it. */
function leadsBack(rules: readonly ParsedRule[], maker: ParsedRule | undefined, name: string): boolean {
  const first = rules.find(({ to }) => to.some((pattern) => pattern.match(name) !== undefined));
  return first === maker;
}

/**
 * Weights under other names and in other layouts, as a mapping says: for each name the first rule that fits; a name that
 * no rule fits stays. Nothing is read or copied until a tensor is asked for. The result can be mapped again.
 * @param weights An opened file, or host values by name, such as a state dict.
 * @param mapping Rules, plain data. {@link invertMapping} gives those that lead back.
 * @throws InputError for a mapping that is none, WeightsError when shapes do not fit a rule or two names become one.
 * @example
 * const mapped = mapWeights(await readSafetensors("theirs.safetensors"), [
 *   { from: "module.{i}.qkv.weight", to: ["{i}.q.weight", "{i}.k.weight", "{i}.v.weight"], join: { axis: 0 } },
 *   { from: "module.{rest*}", to: "{rest*}" },
 * ]);
 * model.loadStateDict(await mapped.hosts());
 */
export function mapWeights(
  weights: WeightsFile | ReadonlyMap<string, HostEntry>,
  mapping: WeightMapping,
): MappedWeights {
  const rules = parseMapping("mapWeights", mapping);
  const file = weights instanceof Map ? hostFile(weights) : (weights as WeightsFile);
  if (!Array.isArray(file?.names) || typeof file.host !== "function")
    throw new InputError(
      `mapWeights: expected opened weights or a Map of host values, got ${typeof weights}`,
    );
  const ignored = new Map<string, string>();
  /** In the order of the first name of each. */
  const groups = new Map<string, Group | string>();
  for (const name of file.names) {
    const index = rules.findIndex((rule) => placeIn(rule, name) !== undefined);
    if (index < 0) {
      groups.set(JSON.stringify([name]), name);
      continue;
    }
    const rule = rules[index];
    if (rule.layout.kind === "ignore") {
      ignored.set(name, rule.label);
      continue;
    }
    const { place, bindings } = placeIn(rule, name)!;
    const key = JSON.stringify([index, [...bindings].sort(([a], [b]) => (a < b ? -1 : 1))]);
    const group = (groups.get(key) ?? { rule, bindings, members: new Map() }) as Group;
    group.members.set(place, name);
    groups.set(key, group);
  }
  return collect(file, rules, [...groups.values()], ignored);
}

function collect(
  file: WeightsFile,
  rules: readonly ParsedRule[],
  groups: readonly (Group | string)[],
  ignored: ReadonlyMap<string, string>,
): MappedWeights {
  const inner = file instanceof MappedWeights ? file : undefined;
  const source = (name: string): LazyEntry => ({
    ...file.info(name),
    where: `tensor ${JSON.stringify(name)}`,
    load: (signal) => file.host(name, signal === undefined ? {} : { signal }),
  });
  const entries = new Map<string, LazyEntry>();
  const origins = new Map<string, WeightOrigin>();
  const oneWay: string[] = [];
  const add = (name: string, entry: LazyEntry, sources: readonly string[], rule?: ParsedRule): void => {
    const before = sources.map((one) => inner?.origins.get(one) ?? { sources: [one], rules: [] });
    const origin = {
      sources: before.flatMap((one) => one.sources),
      rules: [
        ...new Set([...before.flatMap((one) => one.rules), ...(rule === undefined ? [] : [rule.label])]),
      ],
    };
    const other = origins.get(name);
    if (other !== undefined)
      throw new WeightsError(
        `mapWeights: expected one source of ${JSON.stringify(name)}, got ${[...other.sources, ...origin.sources].join(" and ")}; ignore one of them`,
      );
    entries.set(name, entry);
    origins.set(name, origin);
    if (!leadsBack(rules, rule, name)) oneWay.push(name);
  };
  const incomplete: IncompleteGroup[] = [...(inner?.incomplete ?? [])];
  for (const group of groups) {
    if (typeof group === "string") {
      add(group, source(group), [group]);
      continue;
    }
    const { rule, members } = group;
    const names = [...members].sort(([a], [b]) => a - b).map(([, name]) => name);
    const missing = missingOf(group);
    if (missing.length > 0) {
      incomplete.push({ rule: rule.label, found: names, missing });
      continue;
    }
    const sources = names.map(source);
    const where = `mapWeights: ${names.join(" + ")} by ${rule.label}`;
    const planned = planLayout(where, rule.layout, sources);
    for (const [index, name] of targetsOf(group, planned.length).entries()) {
      const { shape, load } = planned[index];
      add(
        name,
        { dtype: sources[0].dtype, shape, where: `${where}: tensor ${JSON.stringify(name)}`, load },
        names,
        rule,
      );
    }
  }
  const allIgnored = new Map([...(inner?.ignored ?? []), ...ignored]);
  return new MappedWeights(entries, { origins, ignored: allIgnored, incomplete, oneWay });
}
