import type { AnyModule } from "@ai/layers";
import {
  type LoadContext,
  loadPretrained,
  objectOption,
  textOption,
  type WorkContext,
} from "@ai/layers/tasks";
import {
  dispose,
  div,
  type ModelSource,
  mul,
  read,
  sqrt,
  square,
  sum,
  type Tensor,
  tensor,
  tidy,
} from "@ai/tensor";
import type { ImageModel } from "../models/image-model.js";
import { type ImagePreprocessing, models } from "../models/registry.js";
import { imagePreprocessor } from "../preprocess/image-preprocessor.js";
import type { Picture } from "../preprocess/picture.js";
import type { PreprocessSteps } from "../preprocess/preprocessor-config.js";
import { attentionOf } from "./explain-image.js";
import { assertFinite } from "./finite-output.js";
import { readImagePreprocessing } from "./image-input.js";
import { oneSizeBatches } from "./one-size-batches.js";
import { visionModels } from "./own-models.js";
import { type ExplainImageOptions, type PictureRelevance, pictureRelevance } from "./picture-relevance.js";

/** Options of loading a model that embeds pictures, beside those of every task. */
export interface LoadEmbeddingModelOptions {
  /** Fields that stand over those of `config.json`; all of them where there is no such file. */
  readonly config?: Readonly<Record<string, unknown>> | null;
  /** Fields of `preprocessor_config.json`, which they stand in place of. */
  readonly preprocessing?: Readonly<Record<string, unknown>> | null;
  /** The file of the weights, where it is not called as usual. */
  readonly weightsFile?: string | null;
}

/** Their rules. */
export const EMBEDDING_MODEL_OPTIONS = {
  config: /* @__PURE__ */ objectOption(),
  preprocessing: /* @__PURE__ */ objectOption(),
  weightsFile: /* @__PURE__ */ textOption<string | null>(null),
};

/** What is known of a model that embeds pictures. */
export interface EmbeddingModelInfo {
  /** The architecture's name in the registry. */
  readonly architecture: string;
  /** Numbers of an embedding. */
  readonly embeddingDim: number;
  /** What is done to a picture before the model sees it. */
  readonly preprocessing: PreprocessSteps;
}

/** A model that turns pictures into vectors: what its classifier reads. */
export interface EmbeddingModel {
  readonly info: EmbeddingModelInfo;
  /** The embeddings of pictures, as the model gives them. @throws InputError for one that is not finite. */
  embed(
    pictures: readonly Picture[],
    context: Pick<WorkContext, "operation" | "signal">,
  ): Promise<Float32Array[]>;
  /** Which parts of a picture make its embedding similar to `towards` `[embeddingDim]`, a vector of length 1. */
  explainSimilarity(
    { picture, towards }: { readonly picture: Picture; readonly towards: Float32Array },
    options: Required<ExplainImageOptions>,
    context: WorkContext,
  ): Promise<PictureRelevance>;
  dispose(): void;
}

/** Cosine of the angle between each embedding `[batch, dim]` and a direction `[1, dim]`. @returns `[batch]` */
function similarity(embeddings: Tensor, direction: Tensor): Tensor {
  const lengths = sqrt(sum(square(embeddings), { axes: -1 })); // [batch]
  return div(sum(mul(embeddings, direction), { axes: -1 }), lengths);
}

/** Loads a model that embeds pictures; every classifier of pictures does. */
export async function loadEmbeddingModel(
  source: ModelSource,
  { config, preprocessing: asked, weightsFile }: Required<LoadEmbeddingModelOptions>,
  context: LoadContext,
): Promise<EmbeddingModel> {
  const loaded = await loadPretrained<ImageModel, ImagePreprocessing>(
    {
      model: source,
      task: "image-feature-extraction",
      registry: models,
      ownModels: visionModels,
      config,
      weightsFile,
      readPreprocessing: readImagePreprocessing,
    },
    context,
  );
  const { model, architecture } = loaded;
  try {
    const preprocess = imagePreprocessor(asked ?? loaded.preprocessing);
    const { embeddingDim } = model.parts;
    return {
      info: { architecture, embeddingDim, preprocessing: preprocess.steps },
      async embed(pictures, { operation, signal }) {
        const embeddings: Float32Array[] = [];
        for (const batch of oneSizeBatches(pictures, preprocess.steps)) {
          signal.throwIfAborted();
          const output = tidy(() => model.call(preprocess(batch).pixelValues, { output: "embedding" })); // [batch, embeddingDim]
          try {
            const values = Float32Array.from(await read(output));
            assertFinite(operation, values, { what: "embeddings", architecture });
            for (let start = 0; start < values.length; start += embeddingDim)
              embeddings.push(values.slice(start, start + embeddingDim));
          } finally {
            output.dispose();
          }
        }
        return embeddings;
      },
      async explainSimilarity({ picture, towards }, options, work) {
        const images = preprocess([picture]);
        const x = images.pixelValues;
        const direction = tensor(towards, [1, embeddingDim]);
        try {
          const explained = await pictureRelevance(
            {
              model: model as unknown as AnyModule,
              x,
              otherInputs: [{ output: "embedding" }],
              transform: images.transforms[0],
              target: (output) => similarity(output as Tensor, direction),
              gradCamLayer: model.parts.gradCamLayer,
              attention: attentionOf(model, x.shape),
            },
            options,
            work,
          );
          assertFinite(work.operation, [explained.score], { what: "similarity", architecture });
          return explained;
        } finally {
          dispose([x, direction, ...(images.pixelMask === undefined ? [] : [images.pixelMask])]);
        }
      },
      dispose: () => model.dispose(),
    };
  } catch (error) {
    model.dispose();
    throw error;
  }
}
