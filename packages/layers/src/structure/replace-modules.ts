import { InputError, mul, noGrad, tidy } from "@ai/tensor";
import { formatShape } from "../checks.js";
import { type AnyModule, Module } from "../module.js";

/** One module that was exchanged. */
export interface ReplacedModule {
  /** Path of the module. */
  readonly path: string;
  /** Class that was there, and the one that is. */
  readonly from: string;
  readonly to: string;
  /** Parameters that kept their values: same path below the module, same shape. */
  readonly kept: readonly string[];
  /** Parameters that start anew. */
  readonly fresh: readonly string[];
}

/**
 * Exchanges parts of a model in place: every module that `predicate` picks gives way to what `factory` makes of it. What
 * is inside a picked module is not looked at. Parameters with the same path and shape keep their values; the old modules
 * are disposed of. A module that is used in several places is exchanged once, for all of them.
 * @param predicate Called with each module below `model` and its path, the outermost first.
 * @param factory Builds the new module; returning the old one leaves it.
 * @returns one row a module that was exchanged.
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
  const paths = new Map(model.namedModules().map(([path, module]) => [module, path]));
  const exchanged = new Map<AnyModule, AnyModule>();
  const rows: ReplacedModule[] = [];
  const seen = new Set<AnyModule>();

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
      rows.push({ path, from: old.constructor.name, to: made.constructor.name, ...keepWeights(old, made) });
      dropOld(old, made);
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
      } else if (isPlain(value)) visit(value);
    }
  };
  visit(model as unknown as Record<string, unknown>);
  return rows;
}

/** Arrays and plain objects hold modules too. */
function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return Array.isArray(value) || prototype === Object.prototype || prototype === null;
}

/** Copies what fits; the old module has no values when it was never used. */
function keepWeights(old: AnyModule, made: AnyModule): { kept: string[]; fresh: string[] } {
  const before = new Map(old.namedParameters());
  const [kept, fresh]: [string[], string[]] = [[], []];
  for (const [path, parameter] of made.namedParameters()) {
    const source = before.get(path);
    if (source === parameter) continue;
    if (source === undefined || formatShape(source.shape) !== formatShape(parameter.shape)) {
      fresh.push(path);
      continue;
    }
    parameter.setValue(noGrad(() => tidy(() => mul(source.value, 1))));
    parameter.requiresGrad = source.requiresGrad;
    kept.push(path);
  }
  return { kept, fresh };
}

/** Frees what the new module does not use itself: a factory may build around parts of the old one. */
function dropOld(old: AnyModule, made: AnyModule): void {
  const used = new Set(made.parameters());
  for (const parameter of old.parameters()) if (!used.has(parameter)) parameter.dispose();
}
