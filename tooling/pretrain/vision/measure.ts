import { InputError, type SafetensorsInput } from "@ai/tensor";
import {
  cocoMetrics,
  type EvaluatedPicture,
  imageFolder,
  loadImageClassifier,
  loadObjectDetector,
  type Picture,
  vocDataset,
} from "@ai/vision";
import type { PictureSet } from "@ai/vision/training";
import { inkOnPaper } from "./like-photos.js";
import { mnistDigits } from "./mnist.js";
import type { ModelDescription } from "./model-descriptions.js";

/** A model's files by path. */
type ModelBytes = ReadonlyMap<string, Uint8Array>;

/** Pictures that a model answers at once. */
const BATCH = 100;
/** Detections below it hardly change an average precision; as `TrainedObjectDetector.evaluate` has it. */
const LEAST_SCORE = 0.02;

/** Above it no drawing has a detection that another device's rounding could turn over. */
const SURE = 0.5;

/** Share of the pictures whose best class is right. */
async function accuracyOf(
  files: ModelBytes,
  data: PictureSet,
  change = (picture: Picture): Picture => picture,
): Promise<number> {
  const classify = await loadImageClassifier(files, { device: "wasm" });
  let right = 0;
  for (let start = 0; start < data.length; start += BATCH) {
    const count = Math.min(BATCH, data.length - start);
    const samples = await Promise.all(Array.from({ length: count }, (_, index) => data.get(start + index)));
    const answers = await classify(
      samples.map(({ picture }) => change(picture)),
      { topK: 1, batchSize: BATCH },
    );
    answers.forEach(([{ label }], index) => {
      if (label === data.classes[samples[index].label!]) right++;
    });
  }
  await classify.dispose();
  return right / data.length;
}

/** COCO's average precision over pictures whose objects are known. */
async function averagePrecisionOf(
  files: ModelBytes,
  data: PictureSet,
): Promise<{ averagePrecision: number; averagePrecision50: number }> {
  const detect = await loadObjectDetector(files, { device: "wasm" });
  const pictures: EvaluatedPicture[] = [];
  for (let index = 0; index < data.length; index++) {
    const { picture, boxes: objects = [] } = await data.get(index);
    const found = await detect(picture, { threshold: LEAST_SCORE });
    pictures.push({
      objects,
      detections: found.map(({ label, score, box }) => ({ box, score, label: data.classes.indexOf(label) })),
    });
  }
  await detect.dispose();
  const { averagePrecision, averagePrecision50 } = cocoMetrics(pictures);
  return { averagePrecision, averagePrecision50 };
}

/** What a packaged model scores on pictures that it has not learnt from. */
export async function measure(
  task: ModelDescription["task"],
  files: ModelBytes,
  { name, pictures }: { readonly name: string; readonly pictures: string | undefined },
): Promise<Readonly<Record<string, number>>> {
  if (name === "mnist-digits") {
    const test = await mnistDigits("test");
    return {
      accuracy: await accuracyOf(files, test),
      accuracyInkOnPaper: await accuracyOf(files, test, inkOnPaper),
    };
  }
  if (pictures === undefined)
    throw new InputError(`package-model: expected the pictures that ${name} was trained on, got none`);
  if (task === "object-detection")
    return averagePrecisionOf(files, await vocDataset(pictures, { split: "test" }));
  return { accuracy: await accuracyOf(files, await imageFolder(pictures, { folder: "test" })) };
}

/**
 * What a packaged model says of drawings, with their pixels, for tests: `<name>.pixels` `[height, width, channels]`, and
 * of a classifier `<name>.scores` `[classes]`, of a detector `<name>.boxes` `[objects, 4]`, `<name>.labels` and
 * `<name>.scores` `[objects]`.
 */
export async function answersOf(
  task: ModelDescription["task"],
  files: ModelBytes,
  pictures: Readonly<Record<string, Picture>>,
): Promise<Map<string, SafetensorsInput>> {
  const tensors = new Map<string, SafetensorsInput>();
  const store = (name: string, shape: readonly number[], values: readonly number[]): void => {
    tensors.set(name, { dtype: "float32", shape, values: Float32Array.from(values) });
  };
  for (const [name, picture] of Object.entries(pictures)) {
    const { data, width, height, channels } = picture;
    const bytes = new Uint8Array(data);
    tensors.set(`${name}.pixels`, { dtype: "U8", shape: [height, width, channels], bytes });
    if (task === "image-classification") {
      const classify = await loadImageClassifier(files, { device: "cpu" });
      const answer = await classify(picture, { topK: classify.info.labels.length });
      answer.sort((a, b) => a.index - b.index);
      store(
        `${name}.scores`,
        [answer.length],
        answer.map(({ score }) => score),
      );
      await classify.dispose();
    } else {
      const detect = await loadObjectDetector(files, { device: "cpu" });
      const found = await detect(picture, { threshold: SURE });
      store(
        `${name}.boxes`,
        [found.length, 4],
        found.flatMap(({ box }) => box),
      );
      store(
        `${name}.labels`,
        [found.length],
        found.map(({ index }) => index),
      );
      store(
        `${name}.scores`,
        [found.length],
        found.map(({ score }) => score),
      );
      await detect.dispose();
    }
  }
  return tensors;
}
