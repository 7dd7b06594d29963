import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { halfPrecision } from "@ai/layers";
import {
  InputError,
  readSafetensors,
  saveModelFolder,
  saveSafetensors,
  useDevice,
  writeModelFolder,
} from "@ai/tensor";
import { Command } from "commander";
import { drawings } from "./drawings.js";
import { answersOf, measure } from "./measure.js";
import { makeCard, type TrainingResult } from "./model-card.js";
import { descriptions } from "./model-descriptions.js";

/** What a model of ours may weigh. */
const MAX_BYTES = 3_000_000;
const NOT_LEARNT = /(?:running_mean|running_var|num_batches_tracked)$/;

// from dist/vision, where this runs
const vision = fileURLToPath(new URL("../../../../packages/vision/", import.meta.url));
const results = fileURLToPath(new URL("../../vision/results/", import.meta.url));

const command = new Command("package-model")
  .description(
    "Makes of a trained model the folder that comes with @ai/vision: weights of 16 bits, measured again, and a card.",
  )
  .argument("<name>", `one of ${Object.keys(descriptions).join(", ")}`)
  .argument("<model>", "the folder that the training script wrote")
  .argument("<result>", "the JSON file that it wrote with --result")
  .argument("[pictures]", "what it was trained on; nothing for mnist-digits")
  .parse();
const [name, model, resultFile, pictures] = command.args;
const description = descriptions[name];
if (description === undefined)
  throw new InputError(
    `package-model: expected one of ${Object.keys(descriptions).join(", ")}, got ${name}; describe it in model-descriptions.ts first`,
  );

const json = async (path: string): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(path, "utf8"));
const training = (await json(resultFile)) as unknown as TrainingResult;
const state = await (await readSafetensors(join(model, "model.safetensors"))).hosts();
const parts = {
  config: await json(join(model, "config.json")),
  tensors: halfPrecision(state),
  files: { "preprocessor_config.json": await json(join(model, "preprocessor_config.json")) },
};
const files = await writeModelFolder(parts);
const bytes = files.get("model.safetensors")!.length;
if (bytes > MAX_BYTES)
  throw new InputError(
    `package-model: expected weights of at most ${MAX_BYTES} bytes, got ${bytes}; train a smaller model`,
  );

await useDevice("wasm");
const result = {
  ...training,
  shipped: {
    dtype: "F16",
    bytes,
    parameters: [...state].reduce(
      (sum, [path, { values }]) => (NOT_LEARNT.test(path) ? sum : sum + values.length),
      0,
    ),
    ...(await measure(description.task, files, { name, pictures })),
  },
};
const folder = join(vision, "pretrained", name);
await rm(folder, { recursive: true, force: true });
await saveModelFolder(folder, { ...parts, card: makeCard(name, description, result) });
await mkdir(results, { recursive: true });
await writeFile(join(results, `${name}.json`), `${JSON.stringify(result, undefined, 2)}\n`);
await saveSafetensors(
  join(vision, "fixtures", `own_${name.replaceAll("-", "_")}.safetensors`),
  await answersOf(description.task, files, drawings[name]),
);
console.log(JSON.stringify({ name, ...result.shipped }, undefined, 2));
process.exit(0);
