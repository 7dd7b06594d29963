import { InputError, logicalNot, mul, noGrad, type Tensor, tidy } from "@ai/tensor";
import { formatShape } from "../checks.js";
import { type AnyModule, Module } from "../module.js";
import { isPlainObject } from "../module-output.js";
import { Parameter, StateCounter, StateTensor, StoredTensor } from "../parameter.js";
import type { StateTarget } from "../state-dict.js";
import { type StoredPlace, storedPlaces } from "./stored-places.js";

/** One module that was exchanged. Names are those of checkpoints, below the module; states are listed like parameters. */
export interface ReplacedModule {
  /** Path of the module. */
  readonly path: string;
  /** Class that was there, and the one that is. */
  readonly from: string;
  readonly to: string;
  /** What kept its values: the same name, kind and shape on both sides, or the very parameter. */
  readonly kept: readonly string[];
  /** Of `kept`, what is still one with a parameter elsewhere in the model. */
  readonly tied: readonly string[];
  /** What has values of the factory's. */
  readonly given: readonly string[];
  /** What starts anew. */
  readonly fresh: readonly string[];
  /** What only the old module had. */
  readonly dropped: readonly string[];
  /** What the old module shared with other parts, which keep it, and the new one does not. */
  readonly untied: readonly string[];
}

/**
 * Exchanges parts of a model in place: every module that `predicate` picks gives way to what `factory` makes of it. What
 * is inside a picked module is not looked at. Parameters and states (running statistics, counters) with the same name and
 * shape keep their values, a parameter that other parts of the model use stays one with theirs; the rest of the old
 * modules is freed. A module that is used in several places is exchanged once, for all of them.
 * @param predicate Called with each module below `model` and its path, the outermost first.
 * @param factory Builds the new module; returning the old one leaves it.
 * @returns one row a module that was exchanged: what it kept, and what it did not.
 * @throws InputError when `model` itself is picked, or the factory gives no module.
 * @example
 * replaceModules(model, (module) => module instanceof LayerNorm, (old) => new RMSNorm(old.normalizedShape[0]));
 */
export function replaceModules<Old extends AnyModule>(
  model: AnyModule,
  predicate: (module: AnyModule, path: string) => boolean,
  factory: (module: Old, path: string) => AnyModule,
): ReplacedModule[] {
  if (!(model instanceof Module))
    throw new InputError(`replaceModules: expected a module as model, got ${typeof model}`);
  if (typeof predicate !== "function" || typeof factory !== "function")
    throw new InputError("replaceModules: expected functions as predicate and factory; see the example");
  if (predicate(model, ""))
    throw new InputError(
      "replaceModules: expected parts of the model, got the model itself; call the factory on it",
    );
  // their first values depend on the paths in this model
  model.parameters();
  const paths = new Map(model.namedModules().map(([path, module]) => [module, path]));
  const exchanged = new Map<AnyModule, AnyModule>();
  const rows: ReplacedModule[] = [];
  const seen = new Set<AnyModule>();
  const left: StateTarget[] = [];

  const exchange = (old: AnyModule): AnyModule => {
    const known = exchanged.get(old);
    if (known !== undefined) return known;
    const path = paths.get(old) ?? "";
    const made = factory(old as Old, path);
    if (!(made instanceof Module))
      throw new InputError(
        `replaceModules: expected a module from the factory for ${path}, got ${typeof made}`,
      );
    exchanged.set(old, made);
    if (made !== old) {
      made.train(old.training);
      const before = storedPlaces(old);
      left.push(...before.map(({ target }) => target));
      const kept = keepValues(before, made, targetsOf(model, old), left);
      rows.push({ path, from: old.constructor.name, to: made.constructor.name, ...kept });
    }
    return made;
  };

  const visit = (holder: Record<string, unknown>): void => {
    for (const [key, value] of Object.entries(holder)) {
      if (value instanceof Module) {
        const module = value as AnyModule;
        if (predicate(module, paths.get(module) ?? "")) holder[key] = exchange(module);
        else if (!seen.has(module)) {
          seen.add(module);
          visit(module as unknown as Record<string, unknown>);
        }
      } else if (Array.isArray(value) || isPlainObject(value))
        visit(value as unknown as Record<string, unknown>);
    }
  };
  try {
    visit(model as unknown as Record<string, unknown>);
  } finally {
    const used = targetsOf(model);
    for (const target of left) if (target instanceof StoredTensor && !used.has(target)) target.dispose();
  }
  return rows;
}

/** Parameters, states and masks of a model; those of `without` only where other parts hold them too. */
function targetsOf(model: AnyModule, without?: AnyModule): Set<StateTarget> {
  const found = new Set<StateTarget>();
  for (const { target } of storedPlaces(model, without)) {
    found.add(target);
    if (target instanceof Parameter && target.mask !== undefined) found.add(target.mask);
  }
  return found;
}

/**
 * Gives a new module what fits of the old one's values.
 * @param before What the old one holds.
 * @param elsewhere What the rest of the model holds.
 * @param left Gets what is no longer in its place.
 */
function keepValues(
  before: readonly StoredPlace[],
  made: AnyModule,
  elsewhere: ReadonlySet<StateTarget>,
  left: StateTarget[],
): Omit<ReplacedModule, "path" | "from" | "to"> {
  const after = storedPlaces(made);
  const sources = new Map(before.map(({ path, target }) => [path, target]));
  const olds = new Set(sources.values());
  const [kept, tied, given, fresh]: [string[], string[], string[], string[]] = [[], [], [], []];
  const ties = new Map<StateTarget, StateTarget>();
  for (const place of after) {
    const { path, target } = place;
    const known = ties.get(target) ?? (olds.has(target) ? target : undefined);
    const source = known ?? sources.get(path);
    if (known === undefined && !fits(source, target)) {
      (target instanceof StoredTensor && target.hasValue ? given : fresh).push(path);
      continue;
    }
    kept.push(path);
    if (
      source !== target &&
      source instanceof Parameter &&
      elsewhere.has(source) &&
      canBeOne(place, source)
    ) {
      place.holder[place.key] = source;
      ties.set(target, source);
      left.push(target);
    } else if (source !== target) copyValues(source!, target);
    if (elsewhere.has(place.holder[place.key] as StateTarget)) tied.push(path);
  }
  const names = new Set(after.map(({ path }) => path));
  const now = new Set(storedPlaces(made).map(({ target }) => target));
  return {
    kept,
    tied,
    given,
    fresh,
    dropped: before.flatMap(({ path, target }) => (names.has(path) || now.has(target) ? [] : [path])),
    untied: before.flatMap(({ path, target }) => (elsewhere.has(target) && !now.has(target) ? [path] : [])),
  };
}

/** Whether values of `source` can go into `target`: the same kind, shape and dtype. */
function fits(source: StateTarget | undefined, target: StateTarget): boolean {
  if (source instanceof StateCounter || target instanceof StateCounter)
    return source instanceof StateCounter && target instanceof StateCounter;
  if (source === undefined || source instanceof StateTensor !== target instanceof StateTensor) return false;
  return source.dtype === target.dtype && formatShape(source.shape) === formatShape(target.shape);
}

/** Whether `source` can stand in a place: what was computed from a parameter there keeps its own. */
function canBeOne({ path, target }: StoredPlace, source: Parameter): boolean {
  const order = (stored: StoredTensor): string => String(stored.checkpointPermutation ?? "");
  return !path.split(".").includes("parametrizations") && order(target as StoredTensor) === order(source);
}

function copyValues(source: StateTarget, target: StateTarget): void {
  if (source instanceof StateCounter) {
    (target as StateCounter).value = source.value;
    return;
  }
  (target as StoredTensor).setValue(noGrad(() => tidy(() => copyOf(source.value))));
  if (source instanceof Parameter && target instanceof Parameter) target.requiresGrad = source.requiresGrad;
}

/** A tensor with numbers of its own. */
function copyOf(x: Tensor): Tensor {
  return x.dtype === "bool" ? logicalNot(logicalNot(x)) : mul(x, 1);
}
