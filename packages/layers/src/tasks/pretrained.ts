import {
  InputError,
  invertMapping,
  type ModelCard,
  type ModelFiles,
  type ModelFolder,
  type ModelSource,
  mapWeights,
  readWeights,
  type WeightMapping,
  type WeightsFile,
} from "@ai/tensor";
import type { StateEntry } from "../state-dict.js";
import type { LoadableModel, ModelConfig, ModelEntry, ModelRegistry, OwnModels } from "./model-registry.js";
import { listedPaths, openSourceFiles, textIfThere, weightsFileOf } from "./model-source.js";
import { suggestion } from "./spelling.js";
import type { LoadContext } from "./types.js";

/** The small files of a model, for what reads its preprocessing. */
export interface PretrainedFiles {
  /** What errors call the model. */
  readonly name: string;
  /** A file's text; undefined where there is no such file. */
  text(file: string): Promise<string | undefined>;
  /** A file of JSON, which must be an object; undefined where there is no such file. @throws InputError for other text. */
  json(file: string): Promise<Readonly<Record<string, unknown>> | undefined>;
  /** All files, the large ones too. */
  readonly files: ModelFiles;
}

/** What {@link loadPretrained} looks for, and where. */
export interface PretrainedRequest<Preprocessing> {
  readonly model: ModelSource;
  /** The task that the model is for. */
  readonly task: string;
  readonly registry: ModelRegistry<Preprocessing>;
  /** Models of ours that may be named. Default none. */
  readonly ownModels?: OwnModels;
  /** Stands over `config.json`, name by name; alone where there is none. */
  readonly config?: ModelConfig | null;
  /** Fields that hold where neither `config.json` nor `config` has them. */
  readonly configDefaults?: ModelConfig | null;
  /** The file of the weights, where it is not called as usual. */
  readonly weightsFile?: string | null;
  /** Reads how inputs are made ready; `usual` is what the registry says of the architecture. */
  readPreprocessing(files: PretrainedFiles, usual: Preprocessing): Promise<Preprocessing>;
}

/** A model with its weights, and what belongs to them. */
export interface Pretrained<Model, Preprocessing> {
  readonly model: Model;
  /** The row's name in the registry. */
  readonly architecture: string;
  readonly config: ModelConfig;
  readonly preprocessing: Preprocessing;
  /** How the checkpoint's names became the model's. */
  readonly mapping: WeightMapping;
  readonly files: PretrainedFiles;
}

function parseObject(where: string, text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InputError(`${where}: expected JSON, got text that is none (${(error as Error).message})`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new InputError(
      `${where}: expected a JSON object, got ${Array.isArray(value) ? "an array" : typeof value}`,
    );
  return value as Readonly<Record<string, unknown>>;
}

function pretrainedFiles(files: ModelFiles, paths: readonly string[] | undefined): PretrainedFiles {
  const text = (file: string): Promise<string | undefined> => textIfThere(files, paths, file);
  return {
    name: files.name,
    files,
    text,
    async json(file) {
      const content = await text(file);
      return content === undefined ? undefined : parseObject(`${files.name}/${file}`, content);
    },
  };
}

const texts = (value: unknown): string[] =>
  (Array.isArray(value) ? value : [value]).filter((text): text is string => typeof text === "string");

/**
 * The row of a registry that reads a configuration and serves a task.
 * @throws InputError when there is none: its message lists the model types that there are.
 */
export function findEntry<Preprocessing>(
  where: string,
  { registry, task }: Pick<PretrainedRequest<Preprocessing>, "registry" | "task">,
  config: ModelConfig,
): [name: string, entry: ModelEntry<unknown, LoadableModel, Preprocessing>] {
  const rows = Object.entries(registry);
  const architectures = [...texts(config.architectures), ...texts(config.architecture)];
  const [modelType] = texts(config.model_type);
  const fits = rows.filter(
    ([, entry]) =>
      entry.architectures?.some((name) => architectures.includes(name)) ||
      (modelType !== undefined && entry.modelTypes.includes(modelType)),
  );
  const found = fits.find(([, { tasks }]) => tasks.includes(task));
  if (found !== undefined) return found;
  if (fits.length > 0)
    throw new InputError(
      `${where}: expected a model for ${task}, got ${modelType ?? architectures.join(", ")}, which is for ${fits.flatMap(([, { tasks }]) => tasks).join(", ")}; load it with that task`,
    );
  const types = rows.filter(([, { tasks }]) => tasks.includes(task)).flatMap(([, entry]) => entry.modelTypes);
  const given = modelType ?? architectures[0];
  throw new InputError(
    given === undefined
      ? `${where}: expected model_type or architectures in config.json, got neither; there are ${types.join(", ")}`
      : `${where}: expected a model type that serves ${task}, got ${given}${suggestion(given, types)}`,
  );
}

async function readState(
  weights: WeightsFile,
  { signal, onProgress }: LoadContext,
): Promise<Map<string, StateEntry>> {
  const state = new Map<string, StateEntry>();
  const total = weights.names.length;
  for (const name of weights.names) {
    state.set(name, await weights.host(name, { signal }));
    onProgress({ phase: "load", message: `${state.size} of ${total} tensors`, done: state.size, total });
  }
  return state;
}

/**
 * Loads a model with its weights, configuration and preprocessing: `config.json` says which row of the registry makes it,
 * the weights are loaded strictly under the row's mapping, and the model is in evaluation mode.
 * @returns the model, which is the caller's, and what belongs to it.
 * @throws InputError for a model that there is not or that does another task, WeightsError for weights that do not fit,
 * DownloadError, the signal's reason; nothing stays behind.
 */
export async function loadPretrained<Model, Preprocessing>(
  request: PretrainedRequest<Preprocessing>,
  context: LoadContext,
): Promise<Pretrained<Model, Preprocessing>> {
  const { model: source, task, ownModels = {} } = request;
  const { signal } = context;
  const opened = await openSourceFiles(source, { ownModels, task }, context);
  const paths = await listedPaths(opened.files);
  const files = pretrainedFiles(opened.files, paths);
  const stored = await files.json("config.json");
  if (stored === undefined && !request.config)
    throw new InputError(
      `${context.operation}: expected config.json in ${files.name}, got none; pass its content as the option config`,
    );
  const config: ModelConfig = { ...request.configDefaults, ...stored, ...request.config };
  const [architecture, entry] = findEntry(`${context.operation}: ${files.name}`, request, config);
  const preprocessing = await request.readPreprocessing(files, entry.preprocessing);
  const weightsFile = request.weightsFile ?? opened.weightsFile ?? weightsFileOf(opened.files, paths);
  const namespace = await entry.load();
  const weights = await readWeights(await opened.files.open(weightsFile), { signal });
  const { model, mapping = [] } = await context.onDevice(() => entry.create(namespace, config, weights));
  try {
    const state = await readState(mapping.length === 0 ? weights : mapWeights(weights, mapping), context);
    await context.onDevice(() => {
      signal.throwIfAborted();
      model.loadStateDict(state);
      model.eval();
    });
  } catch (error) {
    model.dispose();
    throw error;
  }
  return { model: model as Model, architecture, config, preprocessing, mapping, files };
}

/**
 * The names of the classes, in the order of a model's scores, from `id2label` of its configuration.
 * @param labels Stand in place of it.
 * @returns the names; `["LABEL_0", …]`, as Transformers calls them, where nobody gave any.
 * @throws InputError when they are not `count` names.
 */
export function labelsOf(
  where: string,
  config: ModelConfig,
  { count, labels }: { readonly count?: number; readonly labels?: readonly string[] | null },
): string[] {
  let names: string[];
  if (labels) names = [...labels];
  else if (typeof config.id2label === "object" && config.id2label !== null) {
    const table = config.id2label as Readonly<Record<string, unknown>>;
    names = Object.keys(table).map((_, index) => {
      const name = table[index];
      if (typeof name !== "string")
        throw new InputError(
          `${where}: expected id2label with a text for each of 0 to ${Object.keys(table).length - 1}, got ${typeof name} for ${index}`,
        );
      return name;
    });
  } else names = Array.from({ length: count ?? 0 }, (_, index) => `LABEL_${index}`);
  if (count !== undefined && names.length !== count)
    throw new InputError(
      `${where}: expected ${count} labels, one for each score of the model, got ${names.length}; pass them as the option labels`,
    );
  return names;
}

/** What {@link pretrainedFolder} puts together. */
export interface PretrainedParts {
  readonly model: Pick<LoadableModel, "stateDict">;
  /** `model_type`, `architectures` and sizes, under the names of Transformers. */
  readonly config: ModelConfig;
  /** The mapping that the model loads with; its names lead back to those of the checkpoint. */
  readonly mapping?: WeightMapping;
  /** Names of the classes, for `id2label` and `label2id`. */
  readonly labels?: readonly string[];
  /** More files by path, such as `preprocessor_config.json`. */
  readonly files?: ModelFolder["files"];
  readonly card?: ModelCard;
}

/**
 * A trained model as a folder of the Hugging Face hub, for `saveModelFolder` (Node) and `writeModelFolder` (bytes):
 * the same loader opens it again, and so does `from_pretrained` where Transformers has the architecture.
 * @example
 * await saveModelFolder("my-classifier", await pretrainedFolder({ model, config, labels, files }));
 */
export async function pretrainedFolder({
  model,
  config,
  mapping = [],
  labels,
  files,
  card,
}: PretrainedParts): Promise<ModelFolder> {
  const state = await model.stateDict();
  const tensors = mapping.length === 0 ? state : await mapWeights(state, invertMapping(mapping)).hosts();
  const named =
    labels === undefined
      ? {}
      : {
          id2label: Object.fromEntries(labels.map((label, index) => [index, label])),
          label2id: Object.fromEntries(labels.map((label, index) => [label, index])),
        };
  return {
    config: { ...config, ...named },
    tensors,
    ...(files === undefined ? {} : { files }),
    ...(card === undefined ? {} : { card }),
  };
}
