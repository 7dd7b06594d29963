import {
  type QuantizeOptions,
  type ReadOptions,
  readSafetensors,
  type SafetensorsFile,
  type SafetensorsInput,
  saveSafetensors,
  WeightsError,
  type WeightsSource,
  type WriteOptions,
  writeSafetensors,
} from "@ai/tensor";
import type { AnyModule } from "../module.js";
import type { StateEntry } from "../state-dict.js";
import { assertOptionNames } from "../training/option-names.js";
import { exchange } from "./quantize-model.js";
import { emptyLike, isQuantizable, type QuantizableLayer, QuantizedLayer } from "./quantized-layers.js";

/** Name of the metadata that say how a file is quantized. */
const KEY = "quantization_config";
const METHOD = "ai-weight-only";

/** How one layer of a file is quantized. */
interface LayerConfig {
  readonly kind: string;
  readonly bits: 8 | 4;
  readonly group_size: number;
  readonly symmetric: boolean;
}

function layersOf(model: AnyModule): [path: string, layer: QuantizedLayer][] {
  return model
    .namedModules()
    .filter((entry): entry is [string, AnyModule & QuantizedLayer] => entry[1] instanceof QuantizedLayer);
}

/** Bytes of a row in a file: the numbers without what fills the row up. */
function rowBytes({ matrixShape: [, columns], bits }: QuantizedLayer): number {
  return Math.ceil((columns * bits) / 8);
}

/** Words of a layer as bytes: I8 `[rows, columns]`, or U8 with two numbers a byte. */
function toBytes(layer: QuantizedLayer, words: Int32Array): SafetensorsInput {
  const [rows] = layer.matrixShape;
  const [from, length] = [4 * layer.values.shape[1], rowBytes(layer)];
  const source = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  const bytes = new Uint8Array(rows * length);
  for (let row = 0; row < rows; row++)
    bytes.set(source.subarray(row * from, row * from + length), row * length);
  return { dtype: layer.bits === 8 ? "I8" : "U8", shape: [rows, length], bytes };
}

/** The inverse of {@link toBytes}. */
function toWords(layer: QuantizedLayer, bytes: Uint8Array): StateEntry {
  const { shape } = layer.values;
  const [to, length] = [4 * shape[1], rowBytes(layer)];
  // numbers that fill a row up are 0, which 4 bits store as 8
  const target = new Uint8Array(shape[0] * to).fill(layer.bits === 4 ? 0x88 : 0);
  for (let row = 0; row < shape[0]; row++)
    target.set(bytes.subarray(row * length, (row + 1) * length), row * to);
  return { dtype: "int32", shape, values: new Int32Array(target.buffer) };
}

async function collect(
  model: AnyModule,
  { metadata, signal }: WriteOptions,
): Promise<{ tensors: Map<string, SafetensorsInput>; options: WriteOptions }> {
  signal?.throwIfAborted();
  const layers = layersOf(model);
  const state: Map<string, SafetensorsInput> = new Map(await model.stateDict());
  const config: Record<string, LayerConfig> = {};
  for (const [path, layer] of layers) {
    const name = path === "" ? "weight" : `${path}.weight`;
    state.set(name, toBytes(layer, (state.get(name) as { values: Int32Array }).values));
    const { bits, groupSize, symmetric } = layer;
    config[path] = { kind: layer.constructor.name, bits, group_size: groupSize, symmetric };
  }
  const text = JSON.stringify({ quant_method: METHOD, layers: config });
  return {
    tensors: state,
    options: { metadata: { format: "pt", ...metadata, [KEY]: text }, ...(signal && { signal }) },
  };
}

/**
 * Writes a model with quantized layers to a safetensors file (Node), all or nothing: numbers as bytes (`I8`; `U8` with two
 * 4-bit numbers each), scales, all else as it is, and in the metadata `quantization_config` how each layer is quantized.
 * @throws WeightsError when the file cannot be written; InputError in a browser: take {@link writeQuantized} there.
 */
export async function saveQuantized(
  path: string,
  model: AnyModule,
  options: WriteOptions = {},
): Promise<void> {
  assertOptionNames("saveQuantized", options, ["metadata", "signal"]);
  const { tensors, options: rest } = await collect(model, options);
  await saveSafetensors(path, tensors, rest);
}

/** The bytes of the file that {@link saveQuantized} writes. */
export async function writeQuantized(model: AnyModule, options: WriteOptions = {}): Promise<Uint8Array> {
  assertOptionNames("writeQuantized", options, ["metadata", "signal"]);
  const { tensors, options: rest } = await collect(model, options);
  return writeSafetensors(tensors, rest);
}

function configOf(file: SafetensorsFile): Record<string, LayerConfig> {
  const fail = (got: string): never => {
    throw new WeightsError(
      `loadQuantized: expected a file of saveQuantized, got ${got}; load others with model.load`,
    );
  };
  const text = file.metadata[KEY];
  if (text === undefined) fail(`one without ${KEY} in its metadata`);
  let config: { quant_method?: unknown; layers?: Record<string, LayerConfig> } | null = null;
  try {
    config = JSON.parse(text);
  } catch {
    fail(`a ${KEY} that is not JSON`);
  }
  const { quant_method: method, layers } = config ?? {};
  if (method !== METHOD || typeof layers !== "object" || layers === null)
    return fail(`quant_method ${JSON.stringify(method)}`);
  return layers;
}

/** New layers for those that the file has quantized, by the layers they stand for. */
function emptyLayers(
  model: AnyModule,
  config: Record<string, LayerConfig>,
): Map<string, { readonly old: AnyModule; readonly made: QuantizedLayer }> {
  const modules = new Map(model.namedModules());
  return new Map(
    Object.entries(config).map(([path, { kind, bits, group_size: groupSize, symmetric }]) => {
      const old = modules.get(path);
      if (old === undefined || path === "")
        throw new WeightsError(
          `loadQuantized: expected a layer at ${path || "the root"}, got none in this model`,
        );
      if (old instanceof QuantizedLayer || !isQuantizable(old))
        throw new WeightsError(
          `loadQuantized: expected a Linear, Conv2d or Embedding at ${path}, got ${old.constructor.name}; pass a model that is not quantized yet`,
        );
      let made: QuantizedLayer;
      try {
        const options: QuantizeOptions = { bits, groupSize, symmetric };
        made = emptyLike(old as unknown as QuantizableLayer, options);
      } catch (cause) {
        throw new WeightsError(`loadQuantized: ${path}: ${(cause as Error).message}`, { cause });
      }
      if (made.constructor.name !== kind)
        throw new WeightsError(
          `loadQuantized: expected ${String(kind)} at ${path}, got ${old.constructor.name} in this model`,
        );
      return [path, { old, made }] as const;
    }),
  );
}

/**
 * Loads a file of {@link saveQuantized} into a model that is not quantized yet: exchanges the layers that the file says,
 * and sets every value. Strict; nothing changes when it throws.
 * @param model Of the structure that was quantized.
 * @param source A path (Node), URL, `Blob` or bytes.
 * @throws WeightsError for another file, a layer that is not there, and names and shapes that do not fit, all of them in one.
 * @example
 * const model = await loadQuantized(new Classifier(), "small.safetensors");
 */
export async function loadQuantized<Model extends AnyModule>(
  model: Model,
  source: WeightsSource,
  options: ReadOptions = {},
): Promise<Model> {
  assertOptionNames("loadQuantized", options, ["signal"]);
  const { signal } = options;
  const file = await readSafetensors(source, signal === undefined ? {} : { signal });
  const layers = emptyLayers(model, configOf(file));
  const names = file.names.filter((name) => !isWeightOf(layers, name));
  const values = await file.hosts({ names, ...(signal && { signal }) });
  const state = new Map<string, StateEntry>(values);
  const expected = new Map(await model.stateDict()) as Map<string, Pick<StateEntry, "shape">>;
  const wrong: string[] = [];
  for (const [path, { made }] of layers) {
    for (const name of expected.keys()) if (name.startsWith(`${path}.`)) expected.delete(name);
    for (const [name, entry] of await made.stateDict()) expected.set(`${path}.${name}`, entry);
    const name = `${path}.weight`;
    if (!file.has(name)) continue;
    const { dtype, shape, bytes } = await file.entry(name, signal === undefined ? {} : { signal });
    const wanted = { dtype: made.bits === 8 ? "I8" : "U8", shape: [made.matrixShape[0], rowBytes(made)] };
    if (dtype !== wanted.dtype || shape.join() !== wanted.shape.join())
      wrong.push(`${name} (expected ${wanted.dtype} [${wanted.shape}], got ${dtype} [${shape}])`);
    else state.set(name, toWords(made, bytes));
  }
  const missing = [...expected.keys()].filter((name) => !file.has(name));
  const unused = file.names.filter((name) => !expected.has(name));
  for (const [name, { shape }] of state) {
    const wanted = expected.get(name)?.shape;
    if (wanted !== undefined && wanted.join() !== shape.join())
      wrong.push(`${name} (expected [${wanted}], got [${shape}])`);
  }
  const problems = Object.entries({ missing, unused, "mis-shaped or mistyped": wrong }).filter(
    ([, list]) => list.length > 0,
  );
  if (problems.length > 0) {
    for (const { made } of layers.values()) made.dispose();
    throw new WeightsError(
      `loadQuantized: expected the names and shapes of this model, got ${problems.map(([title, list]) => `${title}: ${list.join(", ")}`).join("; ")}`,
    );
  }
  exchange(model, new Map([...layers.values()].map(({ old, made }) => [old, made])));
  model.loadStateDict(state);
  return model;
}

function isWeightOf(layers: ReadonlyMap<string, unknown>, name: string): boolean {
  return name.endsWith(".weight") && layers.has(name.slice(0, -".weight".length));
}
