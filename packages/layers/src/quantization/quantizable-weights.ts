import { InputError, type QuantizeOptions } from "@ai/tensor";
import { type AnyModule, Module } from "../module.js";
import { heldParameters } from "../module-fields.js";
import { join } from "../module-tree.js";
import type { Parameter } from "../parameter.js";
import type { StateTarget } from "../state-dict.js";
import { storedPlaces } from "../structure/stored-places.js";
import { QuantizedParameter } from "./quantized-parameter.js";

/** A weight, and the module whose parameter it is. */
export interface ModuleWeight {
  /** Path of the module. */
  readonly path: string;
  /** Its name in checkpoints, below the module. */
  readonly name: string;
  readonly module: AnyModule;
  readonly parameter: Parameter;
}

/** A weight that stays float32, and why. */
export interface UnquantizedWeight {
  /** Its name in checkpoints. */
  readonly path: string;
  readonly shape: readonly number[];
  readonly bytes: number;
  readonly reason: string;
}

/** Which weights, by the module, its path and the weight's name below it. */
export type WeightPredicate = (module: AnyModule, path: string, weight: string) => boolean;

/** Every float32 parameter of every module, by module; a shared one at each. */
export function moduleWeights(model: AnyModule): ModuleWeight[] {
  return model
    .namedModules()
    .flatMap(([path, module]) =>
      module
        .ownNamedParameters()
        .flatMap(([name, parameter]) =>
          parameter.dtype === "float32" ? [{ path, name, module, parameter }] : [],
        ),
    );
}

/** Why a weight cannot have fewer bits, or undefined when it can. */
export function whyNot({ module, name, parameter }: ModuleWeight): string | undefined {
  const pattern = (module.constructor as typeof Module).quantizableWeights;
  if (parameter.shape.length < 2) return "a vector";
  if (parameter.shape.includes(0)) return "without numbers";
  if ((module as { readonly maxNorm?: number }).maxNorm !== undefined)
    return "calls of its layer shorten its rows (maxNorm)";
  if (pattern === undefined || !pattern.test(name))
    return `${module.constructor.name} does not name it as a weight to quantize`;
  return undefined;
}

/**
 * Which weights the options pick, and why the others are left.
 * @throws InputError when there are none, or one that cannot be exchanged.
 */
export function pickWeights(
  operation: string,
  model: AnyModule,
  { predicate, ...options }: QuantizeOptions & { readonly predicate?: WeightPredicate },
): { picked: ModuleWeight[]; left: UnquantizedWeight[] } {
  if (!(model instanceof Module))
    throw new InputError(`${operation}: expected a module as model, got ${typeof model}`);
  if (predicate !== undefined && typeof predicate !== "function")
    throw new InputError(`${operation}: expected a function as predicate, got ${typeof predicate}`);
  model.parameters(); // first values depend on the paths in this model
  const reasons = new Map<ModuleWeight, string | undefined>(
    moduleWeights(model).map((weight) => [
      weight,
      whyNot(weight) ??
        (predicate === undefined || predicate(weight.module, weight.path, weight.name)
          ? tooSmall(weight, options)
          : "left out by the predicate"),
    ]),
  );
  const picked = [...reasons.keys()].filter((weight) => reasons.get(weight) === undefined);
  if (picked.length === 0)
    throw new InputError(
      `${operation}: expected weights to quantize in ${model.constructor.name}, got none that the predicate takes and that get smaller`,
    );
  const kept = new Set(
    [...reasons.keys()].filter((weight) => !picked.includes(weight)).map(({ parameter }) => parameter),
  );
  for (const { path, name, module, parameter } of picked) {
    const place = join(path, name);
    if ("lora" in module)
      throw new InputError(
        `${operation}: expected layers without adapters, got some at ${path}; merge and remove them first, or add them afterwards`,
      );
    if (parameter.mask !== undefined)
      throw new InputError(
        `${operation}: expected layers without masks, got a pruned one at ${path}; call makePruningPermanent first, zeros stay zeros`,
      );
    if (kept.has(parameter))
      throw new InputError(
        `${operation}: expected weights that no layer outside uses, got ${place}, which is one with a weight that is left; leave it out or take both`,
      );
  }
  const seen = new Set<Parameter>();
  const left = [...reasons].flatMap(([{ path, name, parameter }, reason]): UnquantizedWeight[] => {
    if (reason === undefined || seen.has(parameter)) return [];
    seen.add(parameter);
    return [{ path: join(path, name), shape: parameter.checkpointShape, bytes: parameter.bytes, reason }];
  });
  return { picked, left };
}

/** Rows are filled up to 16 bytes, and have a scale at least: of short ones nothing is saved. */
function tooSmall({ parameter }: ModuleWeight, options: QuantizeOptions): string | undefined {
  const { bytes } = new QuantizedParameter(parameter, options);
  const before = parameter.bytes;
  return bytes < before ? undefined : `rows too short: ${bytes} bytes of few bits in place of ${before}`;
}

/** Quantized forms of weights, one for all modules that share one. They hold tensors until they are disposed. */
export function quantizedForms(
  picked: readonly ModuleWeight[],
  options: QuantizeOptions,
): Map<Parameter, QuantizedParameter> {
  const made = new Map<Parameter, QuantizedParameter>();
  try {
    for (const { parameter } of picked)
      if (!made.has(parameter)) made.set(parameter, QuantizedParameter.from(parameter, options));
  } catch (error) {
    for (const each of made.values()) each.dispose();
    throw error;
  }
  return made;
}

/** The quantized weights of a model by every name that they have in checkpoints. */
export function quantizedWeights(model: AnyModule): Map<string, QuantizedParameter> {
  const owners = new Map<StateTarget, QuantizedParameter>();
  for (const [, module] of model.namedModules())
    for (const weight of heldParameters(module))
      if (weight instanceof QuantizedParameter) owners.set(weight.storedParts[""], weight);
  return new Map(
    storedPlaces(model).flatMap(({ path, target }) => {
      const owner = owners.get(target);
      return owner === undefined ? [] : [[path, owner] as const];
    }),
  );
}
