import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { checkpoints, progressBar } from "@ai/layers/training";
import { describeDevice, useDevice } from "@ai/tensor";
import { imageFolder } from "@ai/vision";
import { trainImageClassifier } from "@ai/vision/training";
import { Command } from "commander";

const command = new Command("cifar10-small")
  .description("Trains the classifier cifar10-small and says how many test pictures it gets right.")
  .argument("<pictures>", "an archive or folder with train/CLASS/N.jpg and test/CLASS/N.jpg")
  .option(
    "--folder <folder>",
    "checkpoints and the model; a run that was stopped goes on",
    "runs/cifar10-small",
  )
  .option("--epochs <count>", "times through the pictures", Number, 12)
  .option("--width <channels>", "channels of the first convolution", Number, 16)
  .option("--learning-rate <rate>", "the highest one", Number, 0.01)
  .option("--weight-decay <decay>", "how fast weights shrink", Number, 0.05)
  .option("--batch-size <count>", "pictures a step", Number, 64)
  .option("--seed <number>", "weights, order and augmentation follow from it", Number, 0)
  .option("--result <file>", "where to write the result as JSON")
  .parse();
const {
  folder,
  epochs,
  width,
  learningRate,
  weightDecay,
  batchSize,
  seed,
  result: resultFile,
} = command.opts();

await useDevice("wasm");
const device = describeDevice();
console.log(`${device.hardware}: ${device.reason}; ${device.threads} threads`);
const [train, test] = await Promise.all(
  ["train", "test"].map((part) => imageFolder(command.args[0], { folder: part })),
);
console.log(`${train.length} pictures to learn from, ${test.length} to test with`);
const started = { milliseconds: performance.now(), cpu: process.cpuUsage() };
const saved = join(folder, "checkpoints");
const trained = await trainImageClassifier(train, {
  validation: test,
  epochs,
  width,
  learningRate,
  weightDecay,
  batchSize,
  seed,
  callbacks: [
    progressBar({ title: "cifar10-small" }),
    checkpoints({ folder: saved, everyEpochs: 1, keepLast: 1 }),
  ],
  resumeFrom: saved,
});
const cpu = process.cpuUsage(started.cpu);
const result = {
  model: "cifar10-small",
  accuracy: trained.accuracy,
  testPictures: test.length,
  trainPictures: train.length,
  seconds: (performance.now() - started.milliseconds) / 1000,
  cpuSeconds: (cpu.user + cpu.system) / 1e6,
  epochs: trained.epochs,
  options: { epochs, width, learningRate, weightDecay, batchSize, seed },
  threads: device.threads,
  features: device.features,
};
await trained.save(join(folder, "model"), { float16: true });
trained.dispose();
console.log(JSON.stringify({ ...result, epochs: result.epochs.length }, undefined, 2));
if (resultFile !== undefined) await writeFile(resultFile, `${JSON.stringify(result, undefined, 2)}\n`);
process.exit(0);
