import { Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential } from "@ai/layers";
import {
  Accuracy,
  AdamW,
  CrossEntropyLoss,
  DataLoader,
  predict,
  serveTraining,
  TensorDataset,
  Trainer,
  type TrainingContext,
} from "@ai/layers/training";
import { manualSeed, softmax, tensor, tidy, useDevice } from "@ai/tensor";
import { mnistDataset } from "@ai/vision";
import { type DigitOptions, PIXELS, SIZE, type TestDigit } from "./digit-messages.js";

// mean and standard deviation of MNIST's training pixels in [0, 1]
const MEAN = 0.1307;
const STANDARD_DEVIATION = 0.3081;

/** Digits as numbers of mean 0 and variance 1. */
function normalized(levels: Uint8Array): Float32Array {
  return Float32Array.from(levels, (level) => (level / 255 - MEAN) / STANDARD_DEVIATION);
}

async function bytesOf(address: URL): Promise<Uint8Array> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address}: status ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** Grey levels and labels of the first digits of a part. */
async function loadDigits(
  folder: string,
  part: "train" | "t10k",
  count: number,
): Promise<{ levels: Uint8Array; labels: Uint8Array }> {
  const [images, labels] = await Promise.all(
    ["images", "labels"].map((kind) => bytesOf(new URL(`${part}-${kind}.idx`, folder))),
  );
  const pictures = await mnistDataset({ images, labels });
  const levels = new Uint8Array(count * PIXELS);
  const numbers = new Uint8Array(count);
  for (let index = 0; index < count; index++) {
    const { picture, label } = pictures.get(index);
    levels.set(picture.data, index * PIXELS);
    numbers[index] = label;
  }
  return { levels, labels: numbers };
}

/** A network of two convolutions: 28 × 28 pixels in, ten numbers out. */
const digitNet = (): Sequential =>
  new Sequential(
    new Conv2d(1, 16, 3), // [batch, 26, 26, 16]
    new ReLU(),
    new MaxPool2d(2), // [batch, 13, 13, 16]
    new Conv2d(16, 32, 3), // [batch, 11, 11, 32]
    new ReLU(),
    new MaxPool2d(2), // [batch, 5, 5, 32]
    new Flatten(), // [batch, 800]
    new Linear(800, 64),
    new ReLU(),
    new Linear(64, 10),
  );

await serveTraining(async ({ options, send }: TrainingContext<DigitOptions>) => {
  const { device, deviceOptions, folder, images, testImages, learningRate, batchSize } = options;
  await useDevice(device, deviceOptions);
  send("Fetching the digits …");
  const [learnt, held] = await Promise.all([
    loadDigits(folder, "train", images),
    loadDigits(folder, "t10k", testImages),
  ]);
  const dataset = ({ levels, labels }: typeof learnt): TensorDataset =>
    new TensorDataset([
      tensor(normalized(levels), [labels.length, SIZE, SIZE, 1]),
      tensor(Int32Array.from(labels), [labels.length], "int32"),
    ]);
  manualSeed(1);
  const model = digitNet();
  const trainer = new Trainer({
    model,
    optimizer: new AdamW(model.parameters(), { learningRate }),
    loss: new CrossEntropyLoss(),
    metrics: { accuracy: new Accuracy() },
  });
  /** `[count, 10]` how likely each digit is. */
  const scores = async (levels: Uint8Array): Promise<number[]> => {
    const count = levels.length / PIXELS;
    const { values } = await predict(model, [tensor(normalized(levels), [count, SIZE, SIZE, 1])], {
      compute: (batch, net) => tidy(() => softmax(net.call(batch))),
    });
    return Array.from(values);
  };
  return {
    trainer,
    loader: new DataLoader(dataset(learnt), { batchSize, shuffle: true, seed: 1 }),
    validation: new DataLoader(dataset(held), { batchSize: 250 }),
    checkpoints: {
      folder: `demo-vision/digits-${images}-${learningRate}`,
      everySteps: 100,
      everyEpochs: 1, // an epoch of few digits is shorter than that
      keepLast: 1,
    },
    methods: {
      read: (levels: Uint8Array) => scores(levels),
      /** Some of the digits that it does not learn from. */
      examples: (count: number): TestDigit[] =>
        Array.from({ length: Math.min(count, testImages) }, (_, index) => ({
          levels: held.levels.slice(index * PIXELS, (index + 1) * PIXELS),
          label: held.labels[index],
        })),
    },
  };
});
