import type { QuantizeOptions } from "@ai/tensor";
import type { AnyModule } from "../module.js";
import type { Parameter } from "../parameter.js";
import { type ReplacedModule, replaceModules } from "../structure/replace-modules.js";
import { type StoredPlace, storedPlaces } from "../structure/stored-places.js";
import { assertOptionNames } from "../training/option-names.js";
import { moduleWeights, pickWeights, quantizedForms, type WeightPredicate } from "./quantizable-weights.js";
import { layerAround, type QuantizedLayer } from "./quantized-layers.js";
import type { QuantizedParameter } from "./quantized-parameter.js";

/** Options of {@link quantizeModel}. */
export interface QuantizeModelOptions extends QuantizeOptions {
  /** Which of the weights that can be quantized, by the module, its path and the weight's name below it. Default all of them. */
  readonly predicate?: WeightPredicate;
}

/** Option names, for what takes them and others. */
export const QUANTIZE_OPTIONS = ["bits", "groupSize", "symmetric?", "predicate"] as const;

/**
 * Exchanges weights of a model in place by ones of 8 or 4 bits: a quarter or an eighth of the memory. Those of Linear,
 * convolutions and transposed ones, Embedding, Bilinear, MultiheadAttention's projections, RNN, LSTM, GRU and their cells
 * can be; a module of one's own names its weights in `static quantizableWeights`. {@link quantizationReport} says
 * beforehand what it costs, and what is left in float32 and why.
 *
 * Linear and Embedding give way to layers that read such a weight in place; elsewhere a call makes it float32 and frees it
 * again. The weights are constant afterwards; biases, norms and LoRA adapters can be trained. Layers that share a weight
 * share the small one.
 * @param options `bits`, `groupSize` and `symmetric` as `quantizeWeight` has them.
 * @returns one row a layer; a weight that was exchanged is among what is `given`.
 * @throws InputError for options that do not exist or fit, when no weight is picked, or one is used outside too.
 * @see Dettmers, Zettlemoyer (2023), "The case for 4-bit precision", https://arxiv.org/abs/2212.09720
 * @example
 * quantizeModel(model, { bits: 4, groupSize: 64, predicate: (layer, path) => path !== "head" });
 * await saveQuantized("small.safetensors", model);
 */
export function quantizeModel(model: AnyModule, options: QuantizeModelOptions = {}): ReplacedModule[] {
  assertOptionNames("quantizeModel", options, QUANTIZE_OPTIONS);
  const { predicate: _, ...how } = options;
  const { picked } = pickWeights("quantizeModel", model, options);
  return exchangeWeights(model, quantizedForms(picked, how));
}

/** Where a model holds parameters. */
export function placesOf(model: AnyModule, parameters: ReadonlyMap<Parameter, unknown>): StoredPlace[] {
  return storedPlaces(model).filter(({ target }) => parameters.has(target as Parameter));
}

/** Puts small weights in the place of others, which are freed. @returns a row a layer, in the model's order. */
export function exchangeWeights(
  model: AnyModule,
  made: ReadonlyMap<Parameter, QuantizedParameter>,
): ReplacedModule[] {
  const layers = new Map<AnyModule, QuantizedLayer>();
  const rows = new Map<string, ReplacedModule>();
  for (const { path, module, name, parameter } of moduleWeights(model)) {
    const small = made.get(parameter);
    if (small === undefined) continue;
    const layer = path === "" ? undefined : layerAround(module, small);
    if (layer !== undefined) layers.set(module, layer);
    else rows.set(path, rowOf(rows.get(path) ?? emptyRow(path, module), name, small));
  }
  for (const { holder, key, target } of placesOf(model, made)) holder[key] = made.get(target as Parameter);
  for (const old of made.keys()) old.dispose();
  if (layers.size > 0) {
    const exchanged = replaceModules(
      model,
      (module) => layers.has(module),
      (old) => layers.get(old) as unknown as AnyModule,
    );
    const modules = new Map(model.namedModules());
    for (const row of exchanged)
      rows.set(row.path, rowOf(row, "weight", (modules.get(row.path) as unknown as QuantizedLayer).weight));
  }
  return model.namedModules().flatMap(([path]) => rows.get(path) ?? []);
}

/** A row of a layer that stays. */
function emptyRow(path: string, module: AnyModule): ReplacedModule {
  const name = module.constructor.name;
  const kept = module.ownNamedParameters().map(([own]) => own);
  return { path, from: name, to: name, kept, tied: [], given: [], fresh: [], dropped: [], untied: [] };
}

/** The row with one weight exchanged: its numbers are new. */
function rowOf(row: ReplacedModule, name: string, { storedParts }: QuantizedParameter): ReplacedModule {
  const parts = Object.keys(storedParts).map((suffix) => name + suffix);
  const others = (names: readonly string[]): string[] => names.filter((own) => !parts.includes(own));
  return { ...row, kept: others(row.kept), tied: others(row.tied), given: [...parts, ...others(row.given)] };
}
