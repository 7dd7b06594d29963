import { InputError, type Tensor } from "@ai/tensor";
import type { AnyModule, Module } from "../module.js";
import { Parameter, StoredTensor } from "../parameter.js";
import { ComputedParameter, type Parametrization } from "./computed-parameter.js";

/** Where a module keeps a parameter: a field of it, or of a plain object in a field. */
interface Place {
  readonly holder: Record<string, unknown>;
  readonly key: string;
}

/** A module with parametrizations, as a field that checkpoints name like PyTorch's. */
interface Parametrized {
  parametrizations?: Record<string, Parametrization>;
}

/** Finds a parameter of this very module by its checkpoint name. */
function placeOf(module: AnyModule, name: string): Place | undefined {
  const names = (module.constructor as typeof Module).checkpointNames;
  const search = (holder: object, prefix: string): Place | undefined => {
    for (const [field, value] of Object.entries(holder)) {
      const own = holder === module ? (names[field] ?? field) : field;
      const path = prefix === "" || own === "" ? prefix + own : `${prefix}.${own}`;
      if (value instanceof Parameter && path === name)
        return { holder: holder as Record<string, unknown>, key: field };
      const nested = value !== null && typeof value === "object" && isPlain(value);
      const found = nested && !(value instanceof StoredTensor) ? search(value, path) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return search(module, "");
}

function isPlain(value: object): boolean {
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
}

/**
 * Computes a parameter of a module from others: `build` makes them around the old one, which becomes a part of them.
 * In checkpoints they are `parametrizations.NAME.…`.
 * @throws InputError when the module has no parameter of that name, or it is parametrized already.
 * @internal
 */
export function parametrize(
  operation: string,
  module: AnyModule,
  name: string,
  build: (original: Parameter) => Parametrization,
): void {
  const place = placeOf(module, name);
  if (place === undefined)
    throw new InputError(
      `${operation}: expected a parameter of the module itself, got "${name}"; a ${module?.constructor?.name} has ${module.ownParameters().length} of its own`,
    );
  const original = place.holder[place.key] as Parameter;
  if (original.derived)
    throw new InputError(
      `${operation}: expected a parameter that is stored in float32, got "${name}", which is ${original instanceof ComputedParameter ? "parametrized already; removeParametrization first" : "of few bits; do this before quantizeModel"}`,
    );
  const parametrization = build(original);
  parametrization.train(module.training);
  const computed = new ComputedParameter(original, parametrization);
  place.holder[place.key] = computed;
  const owner = module as unknown as Parametrized;
  owner.parametrizations = { ...owner.parametrizations, [name]: parametrization };
  computed.attach(module);
}

/** Whether a parameter of this very module is computed from others, by {@link weightNorm} or {@link spectralNorm}. */
export function isParametrized(module: AnyModule, name = "weight"): boolean {
  return (module as unknown as Parametrized).parametrizations?.[name] !== undefined;
}

/**
 * Makes a computed parameter an ordinary one again, with the values that it has now: the layer gives the same results.
 * Its checkpoint name is the plain one afterwards; what it was computed from is gone.
 * @param name The parameter's name in checkpoints.
 * @returns the module.
 * @throws InputError when that parameter is not parametrized.
 * @example
 * removeParametrization(layer); // parametrizations.weight.original0 and original1 become weight
 */
export function removeParametrization<Layer extends AnyModule>(module: Layer, name = "weight"): Layer {
  const owner = module as unknown as Parametrized;
  const parametrization = owner.parametrizations?.[name];
  const place = placeOf(module, name);
  const computed = place?.holder[place.key];
  if (parametrization === undefined || place === undefined || !(computed instanceof ComputedParameter))
    throw new InputError(`removeParametrization: expected a parametrized parameter, got "${name}"`);
  module.parameters(); // draws what has no values yet
  const { original } = computed;
  const values: Tensor = computed.settle();
  const { [name]: _, ...others } = owner.parametrizations ?? {};
  if (Object.keys(others).length > 0) owner.parametrizations = others;
  else delete owner.parametrizations;
  place.holder[place.key] = original;
  computed.detach();
  for (const stored of Object.values(parametrization))
    if (stored instanceof StoredTensor && stored !== original) stored.dispose();
  original.setValue(values);
  return module;
}
