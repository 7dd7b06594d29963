import { writeFile } from "node:fs/promises";
import { progressBar } from "@ai/layers/training";
import { describeDevice, useDevice } from "@ai/tensor";
import { Command } from "commander";
import { compareLanguageModels } from "./compare.js";
import { generateText } from "./generate.js";
import { readText } from "./text.js";
import { DEFAULT_RUN, type LanguageModelRun, makeModel, trainLanguageModel } from "./train.js";

const integer = (text: string): number => Number.parseInt(text, 10);

const command = new Command("language-model")
  .description("Trains a character language model and says how well it predicts the last tenth of the text.")
  .argument("<text>", "a text file, for example tinyshakespeare.txt")
  .option(
    "--folder <folder>",
    "checkpoints and weights; a run that was stopped goes on",
    "runs/language-model",
  )
  .option("--result <file>", "where to write the result as JSON")
  .option("--device <name>", "wasm, webgpu or cpu", "wasm")
  .option("--threads <number>", "threads of the CPU engine", integer)
  .option("--relaxed", "relaxed SIMD: faster, last bits depend on the machine")
  .option("--sample <characters>", "print a text by the trained weights in the folder instead", integer)
  .option("--compare", "train attention, linear attention and a state space instead, and print a table")
  .option("--checkpoint-steps <number>", "steps between two checkpoints", integer, 250);
for (const [name, value] of Object.entries(DEFAULT_RUN)) {
  const flag = `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} <value>`;
  command.option(flag, `default ${value}`, (given: string) =>
    typeof value === "number" ? Number(given) : given,
  );
}
command.parse();

const options = command.opts();
const run = Object.fromEntries(
  Object.entries(DEFAULT_RUN).map(([name, value]) => [name, options[name] ?? value]),
) as unknown as LanguageModelRun;
await useDevice(options.device, { relaxedSimd: options.relaxed === true, threads: options.threads });
const device = describeDevice();
console.log(`${device.hardware}: ${device.reason}; ${device.threads} threads`);
const text = await readText(command.args[0]);
if (options.sample !== undefined) {
  const model = makeModel(run, text);
  await model.load(`${options.folder}/model.safetensors`);
  const { contextLength, seed } = run;
  console.log(
    await generateText(model, text.vocabulary, "\n", { length: options.sample, contextLength, seed }),
  );
  process.exit(0);
}
if (options.compare === true) {
  await compareLanguageModels(run, text, { folder: options.folder, print: console.log });
  process.exit(0);
}
const result = await trainLanguageModel(run, text, {
  folder: options.folder,
  checkpointSteps: options.checkpointSteps,
  callbacks: [progressBar({ title: run.mixer })],
});
console.log(JSON.stringify(result, undefined, 2));
if (options.result !== undefined)
  await writeFile(
    options.result,
    `${JSON.stringify({ ...result, threads: device.threads, features: device.features }, undefined, 2)}\n`,
  );
process.exit(0);
