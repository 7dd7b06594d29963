import {
  type AnyModule,
  attentionMaps,
  type ExplainTarget,
  type Explanation,
  gradCam,
  integratedGradients,
  occlusion,
} from "@ai/layers";
import { choiceOption, integerOption, type WorkContext } from "@ai/layers/tasks";
import { InputError, interpolate, narrow, read, reshape, type Tensor, tensor, tidy } from "@ai/tensor";
import type { PictureTransform } from "../preprocess/picture-transform.js";

/** How an answer is explained. */
export type ImageExplanationMethod = "grad-cam" | "integrated-gradients" | "occlusion" | "attention-rollout";

/** Names of {@link ImageExplanationMethod}. */
export const EXPLANATION_METHODS = [
  "grad-cam",
  "integrated-gradients",
  "occlusion",
  "attention-rollout",
] as const satisfies readonly ImageExplanationMethod[];

/** Options of an explanation. */
export interface ExplainImageOptions {
  /**
   * `grad-cam`: which features spoke for the answer. `integrated-gradients`: what each pixel adds to it. `occlusion`: how far
   * it falls without a part. `attention-rollout`: where a Transformer looked, whatever the answer. Default `grad-cam` for
   * models with convolutional features, `integrated-gradients` for others.
   */
  readonly method?: ImageExplanationMethod | null;
  /** Of `integrated-gradients`: points on the path from black. Default 32. */
  readonly steps?: number | null;
  /** Of `occlusion`: edge of the square that is hidden, in pixels of what the model sees. Default an eighth of it. */
  readonly windowSize?: number | null;
}

/** Their rules. */
export const EXPLAIN_IMAGE_OPTIONS = {
  method: /* @__PURE__ */ choiceOption(EXPLANATION_METHODS, null),
  steps: /* @__PURE__ */ integerOption<number | null>({ default: null, minimum: 1 }),
  windowSize: /* @__PURE__ */ integerOption<number | null>({ default: null, minimum: 1 }),
};

/** Where a model with attention looked for an answer. */
export interface AttentionFlow {
  /** Paths of the layers whose attention is followed, in order. */
  readonly layers: readonly string[];
  /** Paths of the layers in which what answers looked at these; their mean is where it begins. None where it is among them. */
  readonly readers: readonly string[];
  /** The places that answer: tokens, or queries of the readers. */
  readonly places: readonly number[];
  /** Tokens before those of the picture. */
  readonly prefixTokens: number;
  /** Rows and columns of the picture's tokens. */
  readonly grid: readonly [rows: number, columns: number];
}

/** An answer of a model about one picture. */
export interface ExplainedAnswer {
  readonly model: AnyModule;
  /** `[1, height, width, channels]` */
  readonly x: Tensor;
  readonly transform: PictureTransform;
  /** What a call takes after the picture. */
  readonly otherInputs?: readonly unknown[];
  /** Place among the classes, or a function of the output. */
  readonly target: ExplainTarget<unknown>;
  readonly gradCamLayer: string | undefined;
  readonly attention: AttentionFlow | undefined;
}

/** What speaks for an answer, over the original picture. */
export interface PictureRelevance {
  readonly method: ImageExplanationMethod;
  /** The target's number. */
  readonly score: number;
  /** `height · width` numbers, row by row: the largest magnitude is 1, negative ones speak against; 0 where the model did not look. */
  readonly relevance: Float32Array;
}

type Common = Pick<WorkContext, "signal"> & {
  readonly otherInputs: readonly unknown[];
  readonly onProgress: (progress: { readonly done: number; readonly total: number }) => void;
};

/** Explains an answer by the method that is asked for. @throws InputError for a method or option that the model has not. */
export async function pictureRelevance(
  answer: ExplainedAnswer,
  { method: asked, steps, windowSize }: Required<ExplainImageOptions>,
  { operation, signal, progress }: WorkContext,
): Promise<PictureRelevance> {
  const { model, x, otherInputs = [], target, gradCamLayer: layer, attention, transform } = answer;
  const method = asked ?? (layer === undefined ? "integrated-gradients" : "grad-cam");
  if (steps !== null && method !== "integrated-gradients")
    throw new InputError(
      `${operation}: expected steps with integrated-gradients, got it with ${method}; leave it out`,
    );
  if (windowSize !== null && method !== "occlusion")
    throw new InputError(
      `${operation}: expected windowSize with occlusion, got it with ${method}; leave it out`,
    );
  const common: Common = { signal, otherInputs, onProgress: ({ done, total }) => progress(done, total) };
  const explained = { ...common, target };
  let explanation: Pick<Explanation, "values" | "shape" | "scores">;
  if (method === "grad-cam") {
    if (layer === undefined)
      throw new InputError(
        `${operation}: expected another method with this model, got grad-cam; it has no convolutional features`,
      );
    explanation = await gradCam(model, x, { ...explained, layer });
  } else if (method === "attention-rollout") {
    if (attention === undefined)
      throw new InputError(
        `${operation}: expected another method with this model, got attention-rollout; it has no attention`,
      );
    explanation = await attentionRelevance(answer, attention, common);
  } else if (method === "occlusion") {
    const [, height, width] = x.shape;
    const window = windowSize ?? Math.max(1, Math.floor(Math.min(height, width) / 8));
    explanation = await occlusion(model, x, { ...explained, window, stride: Math.ceil(window / 2) });
  } else
    explanation = await integratedGradients(model, x, {
      ...explained,
      steps: steps ?? 32,
      perPosition: true,
    });
  return { method, score: explanation.scores[0], relevance: onPicture(explanation, transform) };
}

/**
 * Attention rollout of some places: what they attend to, followed back through the layers, `r ← ½ (r + r A_l)` from the
 * last to the first, with the mean of the heads as `A_l`.
 * @see Abnar, Zuidema (2020), "Quantifying attention flow in transformers", https://arxiv.org/abs/2005.00928
 */
async function attentionRelevance(
  { model, x, target }: ExplainedAnswer,
  { layers, readers, places, prefixTokens, grid }: AttentionFlow,
  common: Common,
): Promise<Pick<Explanation, "values" | "shape" | "scores">> {
  const maps = await attentionMaps(model, x, { ...common, layers: [...layers, ...readers], heads: "mean" });
  const own = layers.map((path) => maps.find((map) => map.path === path)!);
  const length = own[0].shape[2];
  let flow = new Float64Array(length);
  for (const path of readers) {
    const { values } = maps.find((map) => map.path === path)!; // [1, queries, length]
    for (const place of places)
      for (let key = 0; key < length; key++)
        flow[key] += values[place * length + key] / readers.length / places.length;
  }
  if (readers.length === 0) for (const place of places) flow[place] = 1 / places.length;
  for (const { values } of own.reverse()) {
    const before = flow.map((share) => share / 2);
    for (let query = 0; query < length; query++)
      for (let key = 0; key < length; key++) before[key] += (flow[query] * values[query * length + key]) / 2;
    flow = before;
  }
  const [, height, width]: readonly number[] = x.shape;
  const results = tidy(() => {
    const cells = tensor(Float32Array.from(flow.subarray(prefixTokens)), [1, ...grid, 1]);
    const large = interpolate(cells, { size: [height, width], mode: "bilinear" }); // [1, height, width, 1]
    const output: unknown = model.call(x, ...common.otherInputs);
    const score =
      typeof target === "function"
        ? target(output)
        : narrow(output as Tensor, { axis: 1, start: target as number, length: 1 });
    return [reshape(large, [height * width]), reshape(score, [1])];
  });
  try {
    const [values, scores] = (await Promise.all(results.map((result) => read(result)))) as Float32Array[];
    return { values, shape: [1, height, width], scores: Array.from(scores) };
  } finally {
    for (const result of results) result.dispose();
  }
}

/** A map of what the model saw, laid over the original picture and scaled to a largest magnitude of 1. */
function onPicture(
  { values, shape }: Pick<Explanation, "values" | "shape">,
  transform: PictureTransform,
): Float32Array {
  const [, rows, columns] = shape;
  const { width, height, scaleX, scaleY, offsetX, offsetY } = transform;
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const factor = largest > 0 ? 1 / largest : 0;
  const column = Array.from({ length: width }, (_, x) => Math.floor((x + 0.5) * scaleX + offsetX));
  const result = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const row = Math.floor((y + 0.5) * scaleY + offsetY);
    if (row < 0 || row >= rows) continue;
    for (let x = 0; x < width; x++)
      if (column[x] >= 0 && column[x] < columns)
        result[y * width + x] = values[row * columns + column[x]] * factor;
  }
  return result;
}
