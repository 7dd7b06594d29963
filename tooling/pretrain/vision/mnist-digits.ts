import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { checkpoints, progressBar } from "@ai/layers/training";
import { describeDevice, useDevice } from "@ai/tensor";
import { compose, randomAffine } from "@ai/vision";
import { trainImageClassifier } from "@ai/vision/training";
import { Command } from "commander";
import { likePhotos } from "./like-photos.js";
import { mnistDigits } from "./mnist.js";

const command = new Command("mnist-digits")
  .description("Trains the digit reader mnist-digits on MNIST and says how many test digits it gets right.")
  .option(
    "--folder <folder>",
    "checkpoints and the model; a run that was stopped goes on",
    "runs/mnist-digits",
  )
  .option("--epochs <count>", "times through the pictures", Number, 3)
  .option("--width <channels>", "channels of the first convolution", Number, 8)
  .option("--learning-rate <rate>", "the highest one", Number, 0.01)
  .option("--batch-size <count>", "pictures a step", Number, 128)
  .option("--seed <number>", "weights, order and augmentation follow from it", Number, 0)
  .option("--threads <count>", "threads of the CPU engine; as many as there are cores when left out", Number)
  .option("--result <file>", "where to write the result as JSON")
  .parse();
const { folder, epochs, width, learningRate, batchSize, seed, threads, result: resultFile } = command.opts();

await useDevice("wasm", threads === undefined ? {} : { threads });
const device = describeDevice();
console.log(`${device.hardware}: ${device.reason}; ${device.threads} threads`);
const [train, test] = await Promise.all([mnistDigits("train"), mnistDigits("test")]);
console.log(`${train.length} digits to learn from, ${test.length} to test with`);
const started = { milliseconds: performance.now(), cpu: process.cpuUsage() };
const saved = join(folder, "checkpoints");
const trained = await trainImageClassifier(train, {
  validation: test,
  size: 28,
  epochs,
  width,
  learningRate,
  batchSize,
  seed,
  augment: compose([
    randomAffine({
      degrees: 12,
      translate: [0.08, 0.08],
      scale: [0.75, 1.1],
      shear: 8,
      resample: "bilinear",
    }),
    likePhotos(),
  ]),
  callbacks: [
    progressBar({ title: "mnist-digits" }),
    checkpoints({ folder: saved, everyEpochs: 1, keepLast: 1 }),
  ],
  resumeFrom: saved,
});
const cpu = process.cpuUsage(started.cpu);
const result = {
  model: "mnist-digits",
  accuracy: trained.accuracy,
  testPictures: test.length,
  trainPictures: train.length,
  seconds: (performance.now() - started.milliseconds) / 1000,
  cpuSeconds: (cpu.user + cpu.system) / 1e6,
  epochs: trained.epochs,
  options: { epochs, width, learningRate, batchSize, seed },
  threads: device.threads,
  features: device.features,
};
await trained.save(join(folder, "model"), { float16: true });
trained.dispose();
console.log(JSON.stringify({ ...result, epochs: result.epochs.length }, undefined, 2));
if (resultFile !== undefined) await writeFile(resultFile, `${JSON.stringify(result, undefined, 2)}\n`);
process.exit(0);
