import { type AnyModule, Linear, type Parameter, replaceModules } from "@ai/layers";
import { type LoadContext, loadPretrained, type Pretrained } from "@ai/layers/tasks";
import { type HubOptions, InputError, type ModelSource } from "@ai/tensor";
import type { ImageModel } from "../models/image-model.js";
import { type ImagePreprocessing, models } from "../models/registry.js";
import { readImagePreprocessing } from "../tasks/image-input.js";
import { visionModels } from "../tasks/own-models.js";

/** Which pretrained classifier a training begins with. */
export interface PretrainedSource {
  /** A Hugging Face repository id, a URL, a folder, a file of weights, chosen files, or the name of one of our own models. */
  readonly from: ModelSource;
  /** Fields that stand over those of its `config.json`; all of them where there is no such file. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** The file of its weights, where it is not called as usual. */
  readonly weightsFile?: string;
  /** Options of the hub and the cache, as a task's loader takes them. */
  readonly hub?: HubOptions & { readonly revision?: string; readonly subfolder?: string };
}

/** Loads a classifier of pictures on the device in use. */
export function loadPretrainedImageModel(
  operation: string,
  { from, config, weightsFile, hub = {} }: PretrainedSource,
  signal: AbortSignal | undefined,
): Promise<Pretrained<ImageModel, ImagePreprocessing>> {
  const context: LoadContext = {
    operation,
    signal: signal ?? new AbortController().signal,
    onProgress: () => undefined,
    hub,
    onDevice: async (make) => make(),
  };
  return loadPretrained<ImageModel, ImagePreprocessing>(
    {
      model: from,
      task: "image-classification",
      registry: models,
      ownModels: visionModels,
      config: config ?? null,
      weightsFile: weightsFile ?? null,
      readPreprocessing: readImagePreprocessing,
    },
    context,
  );
}

/** Whether a path is at or below one of others. */
const isUnder = (path: string, roots: readonly string[]): boolean =>
  roots.some((root) => path === root || path.startsWith(`${root}.`));

/**
 * Gives a model new classes: the last linear layer of each of its classifiers starts anew.
 * @returns the parameters that came with the model and stay.
 * @throws InputError for a model whose classifier is not linear in the end.
 */
export function replaceClasses(
  model: ImageModel,
  numClasses: number,
  seed: number,
): { readonly backbone: readonly Parameter[] } {
  const { classifiers } = model.parts;
  const whole = model as unknown as AnyModule;
  const heads = classifiers.map((root) => {
    const linears = model
      .namedModules()
      .filter(([path, module]) => isUnder(path, [root]) && module instanceof Linear);
    const last = linears.at(-1);
    if (last === undefined)
      throw new InputError(
        `fineTuneImageClassifier: expected a classifier with a linear layer at ${root}, got none; train another model`,
      );
    return last[0];
  });
  replaceModules<Linear>(
    whole,
    (_, path) => heads.includes(path),
    (old) => new Linear(old.inFeatures, numClasses, { bias: old.bias !== undefined }),
  );
  const modules = new Map(model.namedModules());
  heads.forEach((path, index) => {
    // drawn anew also where the number of classes is the same: they are other ones
    modules.get(path)!.initialize({ seed: seed + index });
  });
  const backbone = model
    .namedParameters()
    .flatMap(([path, parameter]) => (isUnder(path, classifiers) ? [] : [parameter]));
  return { backbone };
}
