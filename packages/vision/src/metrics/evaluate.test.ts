import type { Task } from "@ai/layers/tasks";
import { InputError } from "@ai/tensor";
import { expect, it } from "vitest";
import type { Picture } from "../preprocess/picture.js";
import type { ImageClassification } from "../tasks/image-classification.js";
import type { ObjectDetection } from "../tasks/object-detection.js";
import { evaluateImageClassifier } from "./evaluate-image-classifier.js";
import { evaluateObjectDetector } from "./evaluate-object-detector.js";

/** A picture whose one level says which it is. */
const picture = (level: number): Picture => ({
  data: Uint8Array.of(level, 0, 0),
  width: 1,
  height: 1,
  channels: 3,
});
const levelOf = (input: unknown): number => (input as Picture).data[0];

const LABELS = ["bird", "cat, tomcat", "dog", "eel", "fox", "gnu"];

/** Says classes by level: `answers[level]`, best first. */
function classifier(answers: readonly (readonly number[])[]): Task<ImageClassification> {
  const classify = async (inputs: readonly unknown[], { topK }: { readonly topK: number }) =>
    inputs.map((input) =>
      answers[levelOf(input)].slice(0, topK).map((index) => ({ label: LABELS[index], index, score: 1 })),
    );
  return Object.assign(classify, { info: { labels: LABELS } }) as unknown as Task<ImageClassification>;
}

it("counts best and fifth-best answers, by the names of the classes", async () => {
  // classes of the data in another order than the model's labels
  const data = {
    length: 4,
    classes: ["tomcat", "bird", "gnu"],
    get: (index: number) => ({ picture: picture(index), label: [0, 1, 1, 0][index] }),
  };
  const classify = classifier([
    [1, 0, 2, 3, 4, 5], // right
    [2, 3, 4, 5, 0, 1], // the fifth
    [2, 3, 4, 5, 1, 0], // the sixth
    [0, 1, 2, 3, 4, 5], // the second
  ]);
  const steps: number[] = [];
  const scores = await evaluateImageClassifier(classify, data, {
    batchSize: 3,
    onProgress: ({ done, total }) => steps.push(done, total),
  });
  expect(scores).toEqual({
    count: 4,
    top1: 0.25,
    top5: 0.75,
    classes: [
      { label: "tomcat", count: 2, top1: 0.5 },
      { label: "bird", count: 2, top1: 0 },
    ],
  });
  expect(steps).toEqual([3, 4, 4, 4]);

  const refused: [Promise<unknown>, RegExp][] = [
    [
      evaluateImageClassifier(classify, { ...data, classes: ["cow"] }),
      /none of "cow"; it has bird, cat, tomcat/,
    ],
    [evaluateImageClassifier(classify, { ...data, length: 0 }), /expected pictures .* got none/],
    [evaluateImageClassifier(classify, data, { batchSize: 0 }), /batchSize as an integer of at least 1/],
    [evaluateImageClassifier(classify, data, { size: 1 } as never), /one named size/],
    [
      evaluateImageClassifier(classify, { ...data, get: () => ({ picture: picture(0) }) }),
      /label in \[0, 3\) for picture 0, got undefined/,
    ],
  ];
  for (const [run, message] of refused) {
    await expect(run).rejects.toThrow(message);
    await expect(run).rejects.toThrow(InputError);
  }
  const signal = AbortSignal.abort(new Error("enough"));
  await expect(evaluateImageClassifier(classify, data, { signal })).rejects.toThrow("enough");
});

it("gives COCO's numbers by the classes of the data", async () => {
  const box = [0, 0, 10, 10] as const;
  const data = {
    length: 2,
    classes: ["dog", "bird"],
    get: (index: number) => ({ picture: picture(index), boxes: [{ label: index, box }] }),
  };
  const asked: unknown[] = [];
  // a dog where a dog is, a gnu that the data does not know, and a dog where a bird is
  const found = [
    [
      { label: "dog", index: 2, score: 0.9, box },
      { label: "gnu", index: 5, score: 0.9, box },
    ],
    [{ label: "dog", index: 2, score: 0.4, box }],
  ];
  const detect = Object.assign(
    async (inputs: readonly unknown[], options: object) => {
      asked.push(options);
      return inputs.map((input) => found[levelOf(input)]);
    },
    { info: { labels: LABELS } },
  ) as unknown as Task<ObjectDetection>;
  const metrics = await evaluateObjectDetector(detect, data, { threshold: 0.1, batchSize: 1 });
  expect(metrics.classes.map(({ label, averagePrecision50 }) => [label, averagePrecision50])).toEqual([
    [0, 1],
    [1, 0],
  ]);
  expect(metrics.averagePrecision).toBeCloseTo(0.5, 12);
  expect(asked).toEqual(Array(2).fill({ threshold: 0.1, batchSize: 1, maxDetections: 300 }));
  await expect(evaluateObjectDetector(detect, { ...data, classes: ["cow", "dog"] })).rejects.toThrow(/"cow"/);
  await expect(evaluateObjectDetector(detect, data, { threshold: 2 })).rejects.toThrow(
    /threshold as a number/,
  );
  const signal = AbortSignal.abort(new Error("enough"));
  await expect(evaluateObjectDetector(detect, data, { signal })).rejects.toThrow("enough");
});
