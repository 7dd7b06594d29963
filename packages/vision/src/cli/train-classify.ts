import { writeModelFolder } from "@ai/tensor";
import type { Command } from "commander";
import { evaluateImageClassifier } from "../metrics/evaluate-image-classifier.js";
import { loadImageClassifier } from "../tasks/image-classification.js";
import { trainImageClassifier } from "../training/train-image-classifier.js";
import type { TrainedImageClassifier } from "../training/trained-image-classifier.js";
import { given, integer, number } from "./common-options.js";
import { percent } from "./each-picture.js";
import { type TrainFlags, trainOptions, withTrainOptions } from "./train.js";
import { trainModel } from "./train-model.js";

interface TrainClassifyFlags extends TrainFlags {
  readonly size?: number;
  readonly width?: number;
  readonly labelSmoothing?: number;
  readonly float16?: boolean;
}

/** `train classify pictures`: a classifier of small pictures from scratch. */
export function addTrainClassify(train: Command): void {
  withTrainOptions(
    train
      .command("classify")
      .description("train a classifier of pictures")
      .option(
        "--size <pixels>",
        "width and height that pictures are resized to; 32 when left out",
        integer(8),
      )
      .option("--width <channels>", "channels of the first convolution; 16 when left out", integer(1))
      .option("--label-smoothing <share>", "0.1 when left out", number(0, 1))
      .option("--float16", "save half the bytes: weights of 16 bits"),
  ).action((data: string, flags: TrainClassifyFlags) => trainClassify(data, flags));
}

async function trainClassify(path: string, flags: TrainClassifyFlags): Promise<void> {
  const { size, width, labelSmoothing, float16 = false } = flags;
  const options = { ...trainOptions(flags), ...given({ size, width, labelSmoothing }) };
  await trainModel<TrainedImageClassifier>(path, flags, {
    name: "classify",
    annotations: "classes",
    pipelineTag: "image-classification",
    settings: { ...options, float16 },
    train: (data, shared) => trainImageClassifier(data, { ...options, ...shared }),
    async test(trained, data, context) {
      // what is tested is what is saved
      const files = await writeModelFolder(await trained.files({ float16 }), { signal: context.signal });
      const classify = await loadImageClassifier(files, context.loadOptions);
      try {
        const { top1, top5 } = await evaluateImageClassifier(classify, data, {
          signal: context.signal,
          onProgress: context.count("test"),
        });
        return { top1, top5 };
      } finally {
        await classify.dispose();
      }
    },
    format: ({ top1 }) => `${percent(top1)} right`,
    save: (trained, folder, card, signal) => trained.save(folder, { float16, signal, ...given({ card }) }),
  });
}
