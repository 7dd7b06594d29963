import {
  InputError,
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
import { type AnyModule, Module } from "../module.js";
import { isPlainObject } from "../module-output.js";
import type { Parameter } from "../parameter.js";
import { loadIntoTargets, type StateEntry, type StateTarget } from "../state-dict.js";
import { storedPlaces } from "../structure/stored-places.js";
import { assertOptionNames } from "../training/option-names.js";
import { moduleWeights, quantizedWeights, whyNot } from "./quantizable-weights.js";
import { exchangeWeights } from "./quantize-model.js";
import { QuantizedParameter } from "./quantized-parameter.js";

/** Name of the metadata that say how a file is quantized. */
const KEY = "quantization_config";
const METHOD = "ai-weight-only";

/** How one weight of a file is quantized. */
interface WeightConfig {
  readonly bits: 8 | 4;
  readonly group_size: number;
  readonly symmetric: boolean;
}

/** Bytes of a row in a file: the numbers without what fills the row up. */
function rowBytes({ matrixShape: [, columns], bits }: QuantizedParameter): number {
  return Math.ceil((columns * bits) / 8);
}

/** Words of a weight as bytes: I8 `[rows, columns]`, or U8 with two numbers a byte. */
function toBytes(weight: QuantizedParameter, words: Int32Array): SafetensorsInput {
  const [rows] = weight.matrixShape;
  const [from, length] = [4 * weight.storedParts[""].shape[1], rowBytes(weight)];
  const source = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  const bytes = new Uint8Array(rows * length);
  for (let row = 0; row < rows; row++)
    bytes.set(source.subarray(row * from, row * from + length), row * length);
  return { dtype: weight.bits === 8 ? "I8" : "U8", shape: [rows, length], bytes };
}

/** The inverse of {@link toBytes}. */
function toWords(weight: QuantizedParameter, bytes: Uint8Array): StateEntry {
  const { shape } = weight.storedParts[""];
  const [to, length] = [4 * shape[1], rowBytes(weight)];
  // numbers that fill a row up are 0, which 4 bits store as 8
  const target = new Uint8Array(shape[0] * to).fill(weight.bits === 4 ? 0x88 : 0);
  for (let row = 0; row < shape[0]; row++)
    target.set(bytes.subarray(row * length, (row + 1) * length), row * to);
  return { dtype: "int32", shape, values: new Int32Array(target.buffer) };
}

async function collect(
  model: AnyModule,
  { metadata, signal }: WriteOptions,
): Promise<{ tensors: Map<string, SafetensorsInput>; options: WriteOptions }> {
  signal?.throwIfAborted();
  const state: Map<string, SafetensorsInput> = new Map(await model.stateDict());
  const weights: Record<string, WeightConfig> = {};
  for (const [name, weight] of quantizedWeights(model)) {
    state.set(name, toBytes(weight, (state.get(name) as { values: Int32Array }).values));
    const { bits, groupSize, symmetric } = weight;
    weights[name] = { bits, group_size: groupSize, symmetric };
  }
  const text = JSON.stringify({ quant_method: METHOD, weights });
  return {
    tensors: state,
    options: { metadata: { format: "pt", ...metadata, [KEY]: text }, ...(signal && { signal }) },
  };
}

/**
 * Writes a model with quantized weights to a safetensors file (Node), all or nothing: numbers as bytes (`I8`; `U8` with two
 * 4-bit numbers each), scales, all else as it is, and in the metadata `quantization_config` how each weight is quantized.
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

function configOf(file: SafetensorsFile): Record<string, WeightConfig> {
  const fail = (got: string): never => {
    throw new WeightsError(
      `loadQuantized: expected a file of saveQuantized, got ${got}; load others with model.load`,
    );
  };
  const text = file.metadata[KEY];
  if (text === undefined) fail(`one without ${KEY} in its metadata`);
  let config: { quant_method?: unknown; weights?: Record<string, WeightConfig> } | null = null;
  try {
    config = JSON.parse(text);
  } catch {
    fail(`a ${KEY} that is not JSON`);
  }
  const { quant_method: method, weights } = config ?? {};
  if (method !== METHOD) return fail(`quant_method ${JSON.stringify(method)}`);
  if (!isPlainObject(weights)) return fail(`a ${KEY} without weights`);
  return weights as Record<string, WeightConfig>;
}

/** Weights without numbers for those that the file has quantized: by name, and by the parameters that they stand for. */
function emptyWeights(
  model: AnyModule,
  config: Record<string, WeightConfig>,
): { byName: Map<string, QuantizedParameter>; made: Map<Parameter, QuantizedParameter> } {
  const known = quantizedWeights(model);
  const possible = new Set(
    moduleWeights(model).flatMap((weight) => (whyNot(weight) ? [] : [weight.parameter])),
  );
  const targets = new Map(storedPlaces(model).map(({ path, target }) => [path, target]));
  const byName = new Map<string, QuantizedParameter>();
  const made = new Map<Parameter, QuantizedParameter>();
  const wrong: string[] = [];
  for (const [name, { bits, group_size: groupSize, symmetric }] of Object.entries(config)) {
    const parameter = targets.get(name) as Parameter | undefined;
    if (parameter === undefined || !possible.has(parameter)) {
      const got = known.has(name)
        ? "one of few bits already"
        : parameter === undefined
          ? "none"
          : "one that cannot be quantized";
      wrong.push(`${name} (${got})`);
      continue;
    }
    const options: QuantizeOptions = { bits, groupSize, symmetric };
    const small = made.get(parameter) ?? emptyWeight(name, parameter, options);
    made.set(parameter, small);
    byName.set(name, small);
  }
  if (wrong.length > 0)
    throw new WeightsError(
      `loadQuantized: expected a model that is not quantized yet, with the weights that the file has quantized, got ${wrong.join(", ")}`,
    );
  return { byName, made };
}

function emptyWeight(name: string, parameter: Parameter, options: QuantizeOptions): QuantizedParameter {
  try {
    return new QuantizedParameter(parameter, options);
  } catch (error) {
    throw new WeightsError(
      `loadQuantized: expected options of quantizeModel for ${name} in ${KEY}, got others`,
      {
        cause: error,
      },
    );
  }
}

/**
 * Loads a file of {@link saveQuantized} into a model that is not quantized yet: exchanges the weights that the file says,
 * and sets every value. Strict; nothing changes when it throws.
 * @param model Of the structure that was quantized.
 * @param source A path (Node), URL, `Blob` or bytes.
 * @throws WeightsError for another file, a weight that is not there, and names and shapes that do not fit; lists them.
 * @example
 * const model = await loadQuantized(new Classifier(), "small.safetensors");
 */
export async function loadQuantized<Model extends AnyModule>(
  model: Model,
  source: WeightsSource,
  options: ReadOptions = {},
): Promise<Model> {
  assertOptionNames("loadQuantized", options, ["signal"]);
  if (!(model instanceof Module))
    throw new InputError(`loadQuantized: expected a module as model, got ${typeof model}`);
  const { signal } = options;
  const reading = signal === undefined ? {} : { signal };
  const file = await readSafetensors(source, reading);
  const { byName, made } = emptyWeights(model, configOf(file));
  const names = file.names.filter((name) => !byName.has(name));
  const state = new Map<string, StateEntry>(await file.hosts({ names, ...reading }));
  const wrong: string[] = [];
  for (const [name, weight] of byName) {
    if (!file.has(name)) continue;
    const { dtype, shape, bytes } = await file.entry(name, reading);
    const wanted = {
      dtype: weight.bits === 8 ? "I8" : "U8",
      shape: [weight.matrixShape[0], rowBytes(weight)],
    };
    if (dtype !== wanted.dtype || shape.join() !== wanted.shape.join())
      wrong.push(`${name} (expected ${wanted.dtype} [${wanted.shape}], got ${dtype} [${shape}])`);
    else state.set(name, toWords(weight, bytes));
  }
  if (wrong.length > 0)
    throw new WeightsError(
      `loadQuantized: expected numbers for the weights of this model, got ${wrong.join(", ")}; build it as it was when it was saved`,
    );
  const targets = storedPlaces(model).flatMap(({ path, target }): [string, StateTarget][] => {
    const parts = made.get(target as Parameter)?.storedParts;
    if (parts === undefined) return [[path, target]];
    return Object.entries(parts).map(([suffix, part]) => [path + suffix, part]);
  });
  // the new weights' own tensors are loaded before they are in the model: what does not fit changes nothing
  loadIntoTargets(model.constructor.name, targets, state, {});
  exchangeWeights(model, made);
  return model;
}
