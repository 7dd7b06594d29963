import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  Accuracy,
  AdamW,
  compareVariants,
  crossEntropyLoss,
  formatComparison,
  LinearLR,
  plotComparison,
  type Variant,
  type VariantComparison,
} from "@ai/layers/training";
import { type DeviceName, describeDevice, useDevice } from "@ai/tensor";
import {
  AttentionEncoder,
  type ClassifierSizes,
  RecurrentEncoder,
  ReviewClassifier,
  useLinearAttention,
} from "./classifier.js";
import { makeVocabulary, type ReviewBatch, type ReviewSplit, reviewLoader } from "./reviews.js";

/** What a comparison of encoders needs. */
export interface EncoderComparisonOptions {
  readonly reviews: ReviewSplit;
  /** The fastest one when left out. */
  readonly device?: DeviceName;
  readonly epochs: number;
  readonly seeds: readonly number[];
  readonly dim: number;
  readonly batchSize: number;
  readonly learningRate: number;
  /** For the table, the picture and finished runs; a comparison that was stopped goes on there. */
  readonly folder: string;
  readonly signal?: AbortSignal;
  readonly print: (text: string) => void;
}

const MAX_VOCABULARY = 8000;
const DROPOUT = 0.3;
const WEIGHT_DECAY = 0.05;
const MAX_GRADIENT_NORM = 1;

/** The encoders, everything around them equal. */
export function encoderVariants(sizes: ClassifierSizes): Variant<ReviewClassifier>[] {
  const { dim, dropout } = sizes;
  const attention = () => new ReviewClassifier(sizes, new AttentionEncoder(dim, dropout));
  return [
    { name: "bag of embeddings", create: () => new ReviewClassifier(sizes) },
    { name: "bidirectional LSTM", create: () => new ReviewClassifier(sizes, new RecurrentEncoder(dim)) },
    { name: "attention", create: attention },
    { name: "linear attention", create: attention, change: useLinearAttention },
  ];
}

/** Trains the four encoders on the reviews and writes `table.md`, `comparison.svg` and `comparison.json`. */
export async function compareEncoders(options: EncoderComparisonOptions): Promise<VariantComparison> {
  const { reviews, epochs, seeds, dim, batchSize, learningRate, folder, signal, print } = options;
  await useDevice(options.device);
  const { train, test } = reviews;
  const vocabulary = makeVocabulary(train, MAX_VOCABULARY);
  print(`${train.length} reviews to learn from, ${test.length} to measure on, ${vocabulary.size} words.`);
  print(`Device: ${describeDevice().device}, ${describeDevice().threads} threads.`);
  const comparison = await compareVariants<ReviewBatch, ReviewClassifier>(
    encoderVariants({ vocabulary: vocabulary.size, dim, dropout: DROPOUT }),
    {
      epochs,
      seeds,
      folder: join(folder, "runs"),
      signal,
      setup: (model, seed) => {
        const data = reviewLoader(train, vocabulary, { batchSize, seed });
        const optimizer = new AdamW(model.parameters(), { learningRate, weightDecay: WEIGHT_DECAY });
        return {
          data,
          validation: reviewLoader(test, vocabulary, { batchSize, seed }),
          trainer: {
            optimizer,
            schedule: new LinearLR(optimizer, {
              startFactor: 1,
              endFactor: 0.1,
              totalIterations: epochs * (data.length ?? 1),
            }),
            computeLoss: ({ ids, labels }, current) => {
              const output = current.call(ids); // [batch, 2]
              return { loss: crossEntropyLoss(output, labels), output, target: labels };
            },
            metrics: { accuracy: new Accuracy() },
            maxGradientNorm: MAX_GRADIENT_NORM,
          },
        };
      },
      onProgress: ({ variant, seed, run, runs, phase }) => {
        if (phase !== "training") print(`${run + 1}/${runs} ${variant}, seed ${seed}: ${phase}`);
      },
    },
  );
  print(`\n${formatComparison(comparison)}`);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "table.md"), `${formatComparison(comparison, { format: "markdown" })}\n`);
  const picture = plotComparison(comparison, { metric: "accuracy", title: "Four encoders" });
  await writeFile(join(folder, "comparison.svg"), picture);
  await writeFile(join(folder, "comparison.json"), `${JSON.stringify(comparison, undefined, 2)}\n`);
  return comparison;
}
