import {
  type LoadableModel,
  type LoadContext,
  listOption,
  loadPretrained,
  type ModelConfig,
  objectOption,
  textOption,
} from "@ai/layers/tasks";
import type { ModelSource } from "@ai/tensor";
import { type ImagePreprocessing, models } from "../models/registry.js";
import { type ImagePreprocessor, imagePreprocessor } from "../preprocess/image-preprocessor.js";
import { readImagePreprocessing } from "./image-input.js";
import { visionModels } from "./own-models.js";

/** Options of loading a model with labels, beside those of every task. */
export interface LoadLabeledModelOptions {
  /** Names of the classes in the order of the scores; they stand in place of `id2label`. */
  readonly labels?: readonly string[] | null;
  /** Fields that stand over those of `config.json`; all of them where there is no such file. */
  readonly config?: Readonly<Record<string, unknown>> | null;
  /** Fields of `preprocessor_config.json`, which they stand in place of. */
  readonly preprocessing?: Readonly<Record<string, unknown>> | null;
  /** The file of the weights, where it is not called as usual. */
  readonly weightsFile?: string | null;
}

/** Their rules. */
export const LABELED_MODEL_OPTIONS = {
  labels: /* @__PURE__ */ listOption(/* @__PURE__ */ textOption("")),
  config: /* @__PURE__ */ objectOption(),
  preprocessing: /* @__PURE__ */ objectOption(),
  weightsFile: /* @__PURE__ */ textOption<string | null>(null),
};

/** A model with its weights and how pictures are made ready for it. */
export interface LabeledModel<Model> {
  readonly model: Model;
  /** The architecture's name in the registry. */
  readonly architecture: string;
  readonly config: ModelConfig;
  readonly preprocess: ImagePreprocessor;
}

/** Loads a model for a task; labels given as an option fill in for a configuration without. */
export async function loadLabeledModel<Model extends LoadableModel>(
  task: string,
  {
    model: source,
    options: { labels, config: given, preprocessing: asked, weightsFile },
  }: { readonly model: ModelSource; readonly options: Required<LoadLabeledModelOptions> },
  context: LoadContext,
): Promise<LabeledModel<Model>> {
  const id2label = labels && Object.fromEntries(labels.map((label, index) => [index, label]));
  const { model, architecture, config, preprocessing } = await loadPretrained<Model, ImagePreprocessing>(
    {
      model: source,
      task,
      registry: models,
      ownModels: visionModels,
      config: given,
      configDefaults: id2label === null ? null : { id2label },
      weightsFile,
      readPreprocessing: readImagePreprocessing,
    },
    context,
  );
  try {
    return { model, architecture, config, preprocess: imagePreprocessor(asked ?? preprocessing) };
  } catch (error) {
    model.dispose();
    throw error;
  }
}
