import { type Command, Option } from "commander";
import { PICTURE_FORMATS, type PictureFormat } from "../datasets/open-picture-splits.js";
import { type CommonFlags, given, integer, number, withCommonOptions } from "./common-options.js";
import { DATA_HELP } from "./open-data.js";
import { addTrainClassify } from "./train-classify.js";
import { addTrainDetect } from "./train-detect.js";

/** Options of every training. */
export interface TrainFlags extends CommonFlags {
  readonly out?: string;
  readonly format?: PictureFormat;
  readonly holdOut: number;
  readonly epochs?: number;
  readonly batchSize?: number;
  readonly learningRate?: number;
  readonly weightDecay?: number;
  readonly seed: number;
  readonly resume?: boolean;
  readonly overwrite?: boolean;
}

/** The option that says which form data has. */
export const formatOption = (): Option =>
  new Option("--format <name>", "form of the data; told by the names of its files when left out").choices([
    ...PICTURE_FORMATS,
  ]);

/** `train classify pictures` and `train detect pictures`. */
export function addTrain(program: Command): void {
  const train = program.command("train").description("train a model and save it as a Hugging Face folder");
  addTrainClassify(train);
  addTrainDetect(train);
}

/** Adds the options of every training. */
export function withTrainOptions(command: Command): Command {
  return withCommonOptions(
    command
      .argument("<data>", DATA_HELP)
      .option("--out <folder>", "where to save the model; models/NAME-OF-DATA when left out")
      .addOption(formatOption())
      .option(
        "--hold-out <count>",
        "test with one of so many pictures where the data has no part for tests; 0 with none",
        integer(0),
        10,
      )
      .option("--epochs <count>", "times through the pictures", integer(1))
      .option("--batch-size <count>", "pictures a step", integer(1))
      .option("--learning-rate <rate>", "the highest one", number(0))
      .option("--weight-decay <decay>", "how fast weights shrink", number(0))
      .option("--seed <number>", "weights, order and augmentation follow from it", integer(0), 0)
      .option("--resume", "go on from the last checkpoint in --out")
      .option("--overwrite", "start again where --out has a training or a model already"),
  );
}

/** Options of a training that were given. */
export function trainOptions({ epochs, batchSize, learningRate, weightDecay }: TrainFlags) {
  return given({ epochs, batchSize, learningRate, weightDecay });
}
