import { createRequire } from "node:module";
import { Command } from "commander";
import { addClassify } from "./classify.js";
import { addDetect } from "./detect.js";
import { addEvaluate } from "./evaluate.js";
import { addExplain } from "./explain.js";
import { addRead } from "./read.js";
import { addRecognize, addTeach } from "./recognize.js";
import { addTrain } from "./train.js";

const EXAMPLES = `
Examples:
  npx @ai/vision train classify pictures --out models/mine
  npx @ai/vision evaluate models/mine pictures
  npx @ai/vision classify photo.jpg --model models/mine
  npx @ai/vision detect photo.jpg --out boxes.png
  npx @ai/vision teach mugs --gallery mugs.safetensors
  npx @ai/vision recognize photo.jpg --gallery mugs.safetensors
  npx @ai/vision explain photo.jpg --model models/mine --out heat.png`;

/** The command line of `@ai/vision`; parsing throws a `CommanderError` where it is wrong. */
export function visionProgram(): Command {
  const { version } = createRequire(import.meta.url)("../../package.json") as { version: string };
  const program = new Command("vision")
    .description("Train, evaluate and use models of pictures.")
    .version(version)
    .exitOverride()
    .showSuggestionAfterError()
    .addHelpText("after", EXAMPLES);
  // commands that are added take over what is set here
  addTrain(program);
  addEvaluate(program);
  addClassify(program);
  addDetect(program);
  addRead(program);
  addTeach(program);
  addRecognize(program);
  addExplain(program);
  return program;
}
