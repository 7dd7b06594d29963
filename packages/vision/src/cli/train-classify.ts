import { InputError, writeModelFolder } from "@ai/tensor";
import type { Command } from "commander";
import { evaluateImageClassifier } from "../metrics/evaluate-image-classifier.js";
import { loadImageClassifier } from "../tasks/image-classification.js";
import { fineTuneImageClassifier } from "../training/fine-tune-image-classifier.js";
import { trainImageClassifier } from "../training/train-image-classifier.js";
import type { TrainedImageClassifier } from "../training/trained-image-classifier.js";
import { given, integer, number } from "./common-options.js";
import { percent } from "./each-picture.js";
import { type ModelFlags, modelHelp, modelOptions, withModelOptions } from "./model-options.js";
import { type TrainFlags, trainOptions, withTrainOptions } from "./train.js";
import { type TrainingRecipe, trainModel } from "./train-model.js";

interface TrainClassifyFlags extends TrainFlags, ModelFlags {
  readonly from?: string;
  readonly frozenEpochs?: number;
  readonly backboneLearningRate?: number;
  readonly size?: number;
  readonly width?: number;
  readonly labelSmoothing?: number;
  readonly float16?: boolean;
}

/** `train classify pictures`: a classifier of small pictures from scratch, or from a pretrained model. */
export function addTrainClassify(train: Command): void {
  const command = train
    .command("classify")
    .description("train a classifier of pictures, from scratch or from a pretrained one")
    .option("--from <model>", `teach a pretrained model: ${modelHelp("image-classification")}`)
    .option(
      "--frozen-epochs <count>",
      "with --from: so many epochs only the new last layer learns; a third when left out",
      integer(0),
    )
    .option(
      "--backbone-learning-rate <rate>",
      "with --from: the highest one of all but the last layer; a tenth of --learning-rate when left out",
      number(0),
    );
  withTrainOptions(
    withModelOptions(command)
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

/** Options that only one of the two trainings has. */
const FROM_SCRATCH = ["size", "width"] as const;
const FROM_MODEL = ["frozenEpochs", "backboneLearningRate", "config", "weightsFile", "revision"] as const;

const dashed = (name: string): string =>
  `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** How the training is done, with the options that it has. @throws InputError for those of the other one. */
async function trainingOf(flags: TrainClassifyFlags) {
  const { from, size, width, labelSmoothing, frozenEpochs, backboneLearningRate } = flags;
  const wrong = (from === undefined ? FROM_MODEL : FROM_SCRATCH).find((name) => flags[name] !== undefined);
  if (wrong !== undefined)
    throw new InputError(
      `${dashed(wrong)}: expected it ${from === undefined ? "with" : "without"} --from, got it ${from === undefined ? "without" : "with"} one; leave it out`,
    );
  const shared = { ...trainOptions(flags), ...given({ labelSmoothing }) };
  if (from === undefined) {
    const settings = { ...shared, ...given({ size, width }) };
    const train: ClassifierTraining = (data, run) => trainImageClassifier(data, { ...settings, ...run });
    return { settings, train };
  }
  const { config, weightsFile, revision } = await modelOptions(flags);
  const settings = {
    ...shared,
    ...given({ frozenEpochs, backboneLearningRate, config, weightsFile }),
    from,
    hub: given({ revision }),
  };
  const train: ClassifierTraining = (data, run) => fineTuneImageClassifier(data, { ...settings, ...run });
  return { settings, train };
}

type ClassifierTraining = TrainingRecipe<TrainedImageClassifier>["train"];

async function trainClassify(path: string, flags: TrainClassifyFlags): Promise<void> {
  const { float16 = false } = flags;
  const { settings, train } = await trainingOf(flags);
  await trainModel<TrainedImageClassifier>(path, flags, {
    name: "classify",
    annotations: "classes",
    pipelineTag: "image-classification",
    settings: { ...settings, float16 },
    train,
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
