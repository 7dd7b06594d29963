import { InputError, type QuantizeOptions } from "@ai/tensor";
import { type AnyModule, Module } from "../module.js";
import type { Parameter } from "../parameter.js";
import { type ReplacedModule, replaceModules } from "../structure/replace-modules.js";
import { assertOptionNames } from "../training/option-names.js";
import {
  isQuantizable,
  type QuantizableLayer,
  type QuantizedLayer,
  quantizedFrom,
} from "./quantized-layers.js";

/** Options of {@link quantizeModel}. */
export interface QuantizeModelOptions extends QuantizeOptions {
  /** Which of the Linear, Conv2d and Embedding layers. Default all of them. */
  readonly predicate?: (layer: QuantizableLayer, path: string) => boolean;
}

/** Option names, for what takes them and others. */
export const QUANTIZE_OPTIONS = ["bits", "groupSize", "symmetric", "predicate"] as const;

/**
 * The layers that the options pick, by path.
 * @throws InputError when there are none, or one cannot be exchanged.
 */
export function pickLayers(
  operation: string,
  model: AnyModule,
  predicate: QuantizeModelOptions["predicate"],
): [path: string, layer: QuantizableLayer][] {
  if (!(model instanceof Module))
    throw new InputError(`${operation}: expected a module as model, got ${typeof model}`);
  const picked = model
    .namedModules()
    .filter(
      (entry): entry is [string, AnyModule & QuantizableLayer] =>
        entry[0] !== "" && isQuantizable(entry[1]) && (predicate?.(entry[1] as never, entry[0]) ?? true),
    );
  if (picked.length === 0)
    throw new InputError(
      `${operation}: expected Linear, Conv2d or Embedding layers inside ${model.constructor.name}, got none that the predicate takes`,
    );
  const chosen = new Set<AnyModule>(picked.map(([, layer]) => layer as unknown as AnyModule));
  const kept = new Set<Parameter>(
    model.namedModules().flatMap(([, module]) => (chosen.has(module) ? [] : module.ownParameters())),
  );
  for (const [path, layer] of picked) {
    if ("lora" in layer)
      throw new InputError(
        `${operation}: expected layers without adapters, got some at ${path}; merge and remove them first, or add them afterwards`,
      );
    if (layer.weight.mask !== undefined)
      throw new InputError(
        `${operation}: expected layers without masks, got a pruned one at ${path}; call makePruningPermanent first, zeros stay zeros`,
      );
    if (kept.has(layer.weight))
      throw new InputError(
        `${operation}: expected layers with weights of their own, got one at ${path} that a layer outside uses too; leave it out or take both`,
      );
  }
  return picked;
}

/**
 * Exchanges layers of a model in place by quantized ones: weights of 8 or 4 bits, a quarter or an eighth of the memory.
 * {@link quantizationReport} says beforehand what it costs. The weights are constant afterwards; biases, norms and LoRA
 * adapters can be trained. Layers that share a weight get a copy each.
 * @param options `bits`, `groupSize` and `symmetric` as `quantizeWeight` has them.
 * @returns one row a layer.
 * @throws InputError for options that do not exist or fit, when no layer is picked, or a weight is used outside too.
 * @see Dettmers, Zettlemoyer (2023), "The case for 4-bit precision", https://arxiv.org/abs/2212.09720
 * @example
 * quantizeModel(model, { bits: 4, groupSize: 64, predicate: (layer, path) => path !== "head" });
 * await saveQuantized("small.safetensors", model);
 */
export function quantizeModel(model: AnyModule, options: QuantizeModelOptions = {}): ReplacedModule[] {
  assertOptionNames("quantizeModel", options, QUANTIZE_OPTIONS);
  const { predicate, ...how } = options;
  // all before the first goes: a weight may be shared
  const made = quantizedLayers(pickLayers("quantizeModel", model, predicate), how);
  return exchange(model, made);
}

/** Quantized forms by layer. */
export function quantizedLayers(
  picked: readonly (readonly [string, QuantizableLayer])[],
  options: QuantizeOptions,
): Map<AnyModule, QuantizedLayer> {
  return new Map(
    picked.map(([, layer]) => [layer as unknown as AnyModule, quantizedFrom(layer, options)] as const),
  );
}

/** Puts layers in the place of others. */
export function exchange(model: AnyModule, made: ReadonlyMap<AnyModule, QuantizedLayer>): ReplacedModule[] {
  return replaceModules(
    model,
    (module) => made.has(module),
    (old) => made.get(old) as unknown as AnyModule,
  );
}
