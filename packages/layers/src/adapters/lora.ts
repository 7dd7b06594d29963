import { fromValues, InputError, noGrad, read, type Tensor, type TypedArray } from "@ai/tensor";
import { type AnyModule, Module } from "../module.js";
import { allParameters, heldParameters, sizeOfParameters } from "../module-fields.js";
import type { Parameter } from "../parameter.js";
import type { QuantizedLinear } from "../quantization/quantized-layers.js";
import { QuantizedParameter } from "../quantization/quantized-parameter.js";
import { assertOptionNames } from "../training/option-names.js";
import { type AdaptableLayer, adapterFor, type LoraAdapter } from "./lora-adapter.js";
import {
  adaptedLayers,
  assertAdapterName,
  type LoraOptions,
  type LoraSettings,
  loraSettings,
  modulesNamed,
  patternValue,
} from "./lora-options.js";

/** One layer that is trained: by an adapter that was added to it, or whole. */
export interface AdaptedLayer {
  /** Path of the layer. */
  readonly path: string;
  /** Its class. */
  readonly layer: string;
  /** Of its adapter; 0 for one of `modulesToSave`, which has none. */
  readonly rank: number;
  /** Numbers that are trained for it, and those of its own weights. */
  readonly trainable: number;
  readonly frozen: number;
}

/** What a layer with adapters knows of them. */
interface LayerAdapters {
  /** The field of the layer: its submodules by adapter name. */
  readonly adapters: Record<string, LoraAdapter>;
  active: ReadonlySet<string>;
  /** The weight before the active adapters went into it, while they are merged. */
  original: TypedArray | undefined;
  readonly removeHook: () => void;
}

/** What a model knows of its adapters. */
interface ModelAdapters {
  readonly settings: Map<string, LoraSettings>;
  /** Parameters that were trained before adapters froze them. */
  readonly frozen: Parameter[];
  active: ReadonlySet<string>;
}

const layers = new WeakMap<AnyModule, LayerAdapters>();
const models = new WeakMap<AnyModule, ModelAdapters>();

type AdapterEntry = [path: string, layer: AdaptableLayer, known: LayerAdapters];
type MergeableEntry = [path: string, layer: Exclude<AdaptableLayer, QuantizedLinear>, known: LayerAdapters];

/** A model's adapted layers by path. */
export function layersWithAdapters(model: AnyModule): AdapterEntry[] {
  return model.namedModules().flatMap(([path, module]): AdapterEntry[] => {
    const known = layers.get(module);
    return known === undefined ? [] : [[path, module as unknown as AdaptableLayer, known]];
  });
}

/** Settings of a set of adapters. @throws InputError when the model has none of that name. */
export function settingsOf(operation: string, model: AnyModule, adapterName: string): LoraSettings {
  const settings = models.get(model)?.settings;
  const found = settings?.get(adapterName);
  if (found === undefined)
    throw new InputError(
      `${operation}: expected adapters named "${adapterName}" of this model, got ${settings === undefined ? "none" : [...settings.keys()].join(", ")}; call applyLora or loadAdapter with it`,
    );
  return found;
}

/**
 * Freezes a model and adds low-rank adapters to some of its layers: only these, and `modulesToSave`, are trained. The
 * layers stay what they are, `checkpoint` names included; an adapter is the submodule `lora.NAME` of its layer. Load the
 * model's weights first: DoRA starts from their lengths. A new set becomes the active one.
 * @returns one row a layer, those with adapters first, then `modulesToSave`.
 * @throws InputError for options that do not exist or fit, or a name that is taken.
 * @see Hu et al. (2021), "LoRA: Low-rank adaptation of large language models", https://arxiv.org/abs/2106.09685
 * @example
 * applyLora(model, { targetModules: ["q_proj", "v_proj"], rank: 8, alpha: 16, dropout: 0.05 });
 * const optimizer = new AdamW(model.parameters().filter((p) => p.requiresGrad), { learningRate: 1e-3 });
 * // … train …
 * await saveAdapter("adapters/mine", model); // Python: PeftModel.from_pretrained(base, "adapters/mine")
 */
export function applyLora(model: AnyModule, options: LoraOptions): AdaptedLayer[] {
  assertModel("applyLora", model);
  const settings = loraSettings(options);
  const { adapterName = "default" } = options;
  assertAdapterName("applyLora", adapterName);
  if (models.get(model)?.settings.has(adapterName))
    throw new InputError(
      `applyLora: expected an adapterName that is free, got "${adapterName}"; removeLora takes one away`,
    );
  assertUnmerged("applyLora", model);
  const picked = adaptedLayers(model, settings);

  const known: ModelAdapters = models.get(model) ?? { settings: new Map(), frozen: [], active: new Set() };
  if (known.settings.size === 0)
    for (const parameter of model.parameters()) if (parameter.requiresGrad) known.frozen.push(parameter);
  known.settings.set(adapterName, settings);
  models.set(model, known);

  const rows = picked.map(([path, layer]): AdaptedLayer => {
    const rank = patternValue(settings.rankPattern, path, settings.rank);
    const alpha = patternValue(settings.alphaPattern, path, settings.alpha);
    const adapter = adapterFor(layer, { ...settings, rank, alpha });
    adapter.train(layer.training);
    attach(layer as unknown as AnyModule).adapters[adapterName] = adapter;
    return {
      path,
      layer: layer.constructor.name,
      rank,
      trainable: sizeOfParameters(heldParameters(adapter as unknown as AnyModule)).parameters,
      frozen: sizeOfParameters(heldParameters(layer as unknown as AnyModule)).parameters,
    };
  });
  setActiveAdapters(model, [adapterName]);
  const counted = new Set<Parameter>();
  const whole = modulesNamed(model, "modulesToSave", settings.modulesToSave).map(([path, module]) => {
    const parameters = allParameters(module).filter((parameter) => !counted.has(parameter));
    for (const parameter of parameters) counted.add(parameter);
    const { trainableParameters, parameters: numbers } = sizeOfParameters(parameters);
    return {
      path,
      layer: module.constructor.name,
      rank: 0,
      trainable: trainableParameters,
      frozen: numbers - trainableParameters,
    };
  });
  return [...rows, ...whole];
}

/**
 * Chooses the sets of adapters that take part, and whether they are trained; the others sleep and are frozen.
 * @param names None switches all off: the model is the one that it was.
 * @param options `trainable`: default true.
 * @throws InputError for names that the model has no adapters of, several with DoRA among them, or merged adapters.
 */
export function setActiveAdapters(
  model: AnyModule,
  names: readonly string[],
  options: { readonly trainable?: boolean } = {},
): void {
  assertModel("setActiveAdapters", model);
  assertOptionNames("setActiveAdapters", options, ["trainable?"]);
  const { trainable = true } = options;
  assertUnmerged("setActiveAdapters", model);
  const settings = names.map((name) => settingsOf("setActiveAdapters", model, name));
  if (names.length > 1 && settings.some(({ useDora }) => useDora))
    throw new InputError(
      `setActiveAdapters: expected DoRA alone, got ${names.join(", ")}; its lengths replace those of the layer`,
    );
  const known = models.get(model);
  if (known === undefined) return;
  known.active = new Set(names);
  for (const parameter of model.parameters()) parameter.requiresGrad = false;
  for (const [, , layer] of layersWithAdapters(model)) {
    layer.active = known.active;
    for (const [name, adapter] of Object.entries(layer.adapters))
      adapter.requiresGrad(trainable && known.active.has(name));
  }
  for (const { modulesToSave } of settings)
    for (const [, module] of modulesNamed(model, "modulesToSave", modulesToSave))
      module.requiresGrad(trainable);
}

/**
 * Puts the active adapters into the weights of their layers, `W + ΔW`: the model runs as fast as without them, and
 * {@link unmergeLora} gives the very same weights back from a copy on the host. Take the adapters away afterwards to
 * keep the sum.
 * @throws InputError when none are active, they are merged already, or a layer is pruned or shares its weight with another.
 * @example
 * await mergeLora(model);
 * removeLora(model); // a plain model with the new weights
 */
export async function mergeLora(model: AnyModule): Promise<void> {
  assertModel("mergeLora", model);
  const adapted = activeLayers("mergeLora", model);
  assertOwnWeights(model, adapted);
  const originals = await Promise.all(
    adapted.map(async ([, { weight }]) => (await read(weight.value)).slice()),
  );
  // another call may have come first while this one waited
  activeLayers("mergeLora", model).forEach(([, { weight }, known], index) => {
    const parts = Object.entries(known.adapters).filter(([name]) => known.active.has(name));
    for (const [, adapter] of parts) weight.setValue(noGrad(() => adapter.mergedWeight()));
    known.original = originals[index];
  });
}

/** Gives the layers back the weights that they had before {@link mergeLora}; the adapters work beside them again. @throws InputError when none are merged. */
export function unmergeLora(model: AnyModule): void {
  assertModel("unmergeLora", model);
  const merged = layersWithAdapters(model).filter(
    (entry): entry is MergeableEntry => entry[2].original !== undefined,
  );
  if (merged.length === 0) throw new InputError("unmergeLora: expected merged adapters, got none");
  for (const [, { weight }, known] of merged) {
    weight.setValue(fromValues(known.original!, weight.shape, weight.dtype));
    known.original = undefined;
  }
}

/**
 * Takes adapters off a model and frees them; once none are left, what they had frozen is trained again. Weights that
 * they were merged into stay so.
 * @param options `adapterName`: which; all when left out. One of several cannot go while they are merged.
 * @throws InputError when there are none of that name.
 */
export function removeLora(model: AnyModule, options: { readonly adapterName?: string } = {}): void {
  assertModel("removeLora", model);
  assertOptionNames("removeLora", options, ["adapterName"]);
  const { adapterName } = options;
  const known = models.get(model);
  if (known === undefined || adapterName !== undefined)
    settingsOf("removeLora", model, adapterName ?? "default");
  const names = adapterName === undefined ? [...known!.settings.keys()] : [adapterName];
  const isLast = names.length === known!.settings.size;
  if (!isLast) assertUnmerged("removeLora", model);
  for (const [, layer, { adapters, removeHook }] of layersWithAdapters(model)) {
    for (const name of names) {
      adapters[name]?.dispose();
      delete adapters[name];
    }
    if (Object.keys(adapters).length > 0) continue;
    removeHook();
    layers.delete(layer as unknown as AnyModule);
    delete (layer as { lora?: unknown }).lora;
  }
  for (const name of names) known!.settings.delete(name);
  if (isLast) {
    models.delete(model);
    for (const parameter of known!.frozen) parameter.requiresGrad = true;
  } else
    setActiveAdapters(
      model,
      [...known!.active].filter((name) => !names.includes(name)),
    );
}

/** Gives a layer the field `lora` and a hook that adds what is active in it. */
function attach(layer: AnyModule): LayerAdapters {
  const found = layers.get(layer);
  if (found !== undefined) return found;
  if ("lora" in layer)
    throw new InputError(
      `applyLora: expected a layer without a field lora, got one in ${layer.constructor.name}; adapters are kept there`,
    );
  const adapters: Record<string, LoraAdapter> = {};
  const known: LayerAdapters = {
    adapters,
    active: new Set(),
    original: undefined,
    removeHook: layer.registerForwardHook((_, [x], output) => {
      if (known.original !== undefined) return undefined;
      const parts = Object.entries(adapters).filter(([name]) => known.active.has(name));
      if (parts.length === 0) return undefined;
      return parts.reduce((sum, [, adapter]) => adapter.call(x as Tensor, sum), output as Tensor);
    }),
  };
  Object.assign(layer, { lora: adapters });
  layers.set(layer, known);
  return known;
}

function activeLayers(operation: string, model: AnyModule): MergeableEntry[] {
  assertUnmerged(operation, model);
  const adapted = layersWithAdapters(model).filter(([, , { adapters, active }]) =>
    Object.keys(adapters).some((name) => active.has(name)),
  );
  if (adapted.length === 0)
    throw new InputError(
      `${operation}: expected active adapters, got none; call applyLora or setActiveAdapters`,
    );
  const rounded = adapted.find(([, layer]) => layer.weight instanceof QuantizedParameter);
  if (rounded !== undefined)
    throw new InputError(
      `${operation}: expected float32 weights, got quantized ones at ${rounded[0]}; leave the adapters beside them`,
    );
  // the next step of an optimizer would set what a mask leaves out to 0 again
  const masked = adapted.find(([, { weight }]) => weight.mask !== undefined);
  if (masked !== undefined)
    throw new InputError(
      `${operation}: expected weights without masks, got a pruned one at ${masked[0]}; call makePruningPermanent first`,
    );
  return adapted as MergeableEntry[];
}

/** @throws InputError for an adapted layer whose weight another layer uses too. */
function assertOwnWeights(model: AnyModule, adapted: readonly MergeableEntry[]): void {
  const owners = new Map<Parameter, string>();
  for (const [path, module] of model.namedModules())
    for (const parameter of module.ownParameters()) {
      const first = owners.get(parameter);
      if (first !== undefined && adapted.some(([, layer]) => layer.weight === parameter))
        throw new InputError(
          `mergeLora: expected layers with weights of their own, got one that ${first} and ${path} share; leave the adapters unmerged`,
        );
      owners.set(parameter, path);
    }
}

function assertModel(operation: string, model: unknown): void {
  if (!(model instanceof Module))
    throw new InputError(`${operation}: expected a module, got ${model === null ? "null" : typeof model}`);
}

function assertUnmerged(operation: string, model: AnyModule): void {
  if (layersWithAdapters(model).some(([, , { original }]) => original !== undefined))
    throw new InputError(`${operation}: expected unmerged adapters, got merged ones; call unmergeLora first`);
}
