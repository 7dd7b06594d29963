import type { WeightMapping, WeightsFile } from "@ai/tensor";
import type { LoadOptions, LoadReport, StateDict } from "../state-dict.js";

/** `config.json` as it was read. */
export type ModelConfig = Readonly<Record<string, unknown>>;

/** What loading needs of a model; every `Module` has it. */
export interface LoadableModel {
  loadStateDict(state: StateDict, options?: LoadOptions): LoadReport;
  stateDict(): Promise<StateDict>;
  eval(): unknown;
  dispose(): void;
}

/** A model made from its configuration, before it has its weights. */
export interface CreatedModel<Model> {
  readonly model: Model;
  /** How the names and layouts of the checkpoint become the model's; none when they are the same. */
  readonly mapping?: WeightMapping;
}

/** Architecture by architecture, what a package has: a row of its `models/registry.ts`, made by {@link modelEntries}. */
export interface ModelEntry<Namespace, Model, Preprocessing, TaskName extends string = string> {
  /** The module with the model's class, loaded when it is asked for. */
  load(): Promise<Namespace>;
  /** The tasks that it serves, by Hugging Face's names. */
  readonly tasks: readonly TaskName[];
  /** `model_type` of the `config.json`s that it reads. */
  readonly modelTypes: readonly string[];
  /** Names in `architectures` (or timm's `architecture`) that it reads whatever the model type. */
  readonly architectures?: readonly string[];
  /** How inputs are made ready where a checkpoint does not say. */
  readonly preprocessing: Preprocessing;
  /**
   * Makes the model. Sizes that the configuration leaves open may be taken from `weights`, whose names and shapes are
   * known and whose values are not read yet.
   * @throws InputError for a configuration that the model has not.
   */
  create(namespace: Namespace, config: ModelConfig, weights: WeightsFile): CreatedModel<Model>;
}

/** Rows of a registry, whatever their models. */
export type ModelRegistry<Preprocessing> = Readonly<
  Record<string, ModelEntry<unknown, LoadableModel, Preprocessing>>
>;

/** A model of ours that comes with a package or an app. */
export interface OwnModel {
  readonly tasks: readonly string[];
  /** Its files by path: bytes, text, or where they lie beside the module (`new URL("./x.safetensors", import.meta.url)`). */
  load(): Promise<{ readonly files: Readonly<Record<string, URL | Uint8Array | string>> }>;
}

/** Models of ours by name. */
export type OwnModels = Readonly<Record<string, OwnModel>>;

type Intersection<Union> = (Union extends unknown ? (member: Union) => void : never) extends (
  member: infer All,
) => void
  ? All
  : never;

/**
 * Gives the function that makes the rows of a domain's registry. A row without preprocessing, or whose model is not what
 * its tasks need, does not type-check.
 * @typeParam Models By task, the interface that the task needs of a model.
 * @typeParam Preprocessing How the domain's inputs are made ready: plain data.
 * @example
 * const entry = modelEntries<VisionModels, ImagePreprocessing>();
 * export const models = {
 *   resnet: entry({
 *     load: () => import("./resnet/resnet.js"),
 *     create: ({ ResNet, resNetConfig }, config) => ({ model: new ResNet(resNetConfig(config)) }),
 *     modelTypes: ["resnet"], tasks: ["image-classification"], preprocessing: { … },
 *   }),
 * };
 */
export function modelEntries<Models extends object, Preprocessing>(): <
  Namespace,
  const TaskName extends keyof Models & string,
>(
  entry: ModelEntry<Namespace, LoadableModel & Intersection<Models[TaskName]>, Preprocessing, TaskName>,
) => ModelEntry<Namespace, LoadableModel & Intersection<Models[TaskName]>, Preprocessing, TaskName> {
  return (entry) => entry;
}
