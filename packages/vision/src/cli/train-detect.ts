import { writeModelFolder } from "@ai/tensor";
import type { Command } from "commander";
import { evaluateObjectDetector } from "../metrics/evaluate-object-detector.js";
import { loadObjectDetector } from "../tasks/object-detection.js";
import { trainObjectDetector } from "../training/train-object-detector.js";
import type { TrainedObjectDetector } from "../training/trained-object-detector.js";
import { given, integer } from "./common-options.js";
import { type TrainFlags, trainOptions, withTrainOptions } from "./train.js";
import { trainModel } from "./train-model.js";

interface TrainDetectFlags extends TrainFlags {
  readonly width?: number;
  readonly height?: number;
  readonly float16?: boolean;
}

/** `train detect pictures`: a detector from scratch. */
export function addTrainDetect(train: Command): void {
  withTrainOptions(
    train
      .command("detect")
      .description("train a detector of objects")
      .option("--width <pixels>", "pictures are resized to it; 320 when left out", integer(32))
      .option("--height <pixels>", "and to this; 240 when left out", integer(32))
      .option("--float16", "save half the bytes: weights of 16 bits"),
  ).action((data: string, flags: TrainDetectFlags) => trainDetect(data, flags));
}

async function trainDetect(path: string, flags: TrainDetectFlags): Promise<void> {
  const { width, height, float16 = false } = flags;
  const options = { ...trainOptions(flags), ...given({ width, height }) };
  await trainModel<TrainedObjectDetector>(path, flags, {
    name: "detect",
    annotations: "boxes",
    pipelineTag: "object-detection",
    settings: { ...options, float16 },
    train: (data, shared) => trainObjectDetector(data, { ...options, ...shared }),
    async test(trained, data, context) {
      const { signal } = context;
      // what is tested is what is saved
      const files = await writeModelFolder(await trained.files({ float16 }), { signal });
      const detect = await loadObjectDetector(files, context.loadOptions);
      try {
        const onProgress = context.count("test");
        const { classes: _, ...scores } = await evaluateObjectDetector(detect, data, { signal, onProgress });
        return scores;
      } finally {
        await detect.dispose();
      }
    },
    format: ({ averagePrecision, averagePrecision50 }) =>
      `AP ${averagePrecision.toFixed(3)}, AP50 ${averagePrecision50.toFixed(3)}`,
    save: (trained, folder, card, signal) => trained.save(folder, { float16, signal, ...given({ card }) }),
  });
}
