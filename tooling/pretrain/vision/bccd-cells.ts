import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { checkpoints, progressBar } from "@ai/layers/training";
import { describeDevice, useDevice } from "@ai/tensor";
import {
  colorJitter,
  compose,
  randomHorizontalFlip,
  randomResizedCrop,
  randomVerticalFlip,
  vocDataset,
} from "@ai/vision";
import { trainObjectDetector } from "@ai/vision/training";
import { Command } from "commander";

const command = new Command("bccd-cells")
  .description("Trains the blood-cell detector bccd-cells and says its COCO numbers on the test pictures.")
  .argument("<pictures>", "an archive or folder in Pascal VOC's form with the splits train and test")
  .option("--folder <folder>", "checkpoints and the model; a run that was stopped goes on", "runs/bccd-cells")
  .option("--epochs <count>", "times through the pictures", Number, 50)
  .option("--width <pixels>", "pictures are resized to it", Number, 320)
  .option("--height <pixels>", "and to this", Number, 240)
  .option("--learning-rate <rate>", "the highest one", Number, 0.003)
  .option("--batch-size <count>", "pictures a step", Number, 8)
  .option("--seed <number>", "weights, order and augmentation follow from it", Number, 0)
  .option("--result <file>", "where to write the result as JSON")
  .parse();
const { folder, epochs, width, height, learningRate, batchSize, seed, result: resultFile } = command.opts();

await useDevice("wasm");
const device = describeDevice();
console.log(`${device.hardware}: ${device.reason}; ${device.threads} threads`);
const [train, test] = await Promise.all(
  ["train", "test"].map((split) => vocDataset(command.args[0], { split })),
);
console.log(
  `${train.length} pictures to learn from, ${test.length} to test with: ${train.classes.join(", ")}`,
);
const started = { milliseconds: performance.now(), cpu: process.cpuUsage() };
const saved = join(folder, "checkpoints");
const trained = await trainObjectDetector(train, {
  width,
  height,
  epochs,
  batchSize,
  learningRate,
  seed,
  // cells lie any way round
  augment: compose([
    randomHorizontalFlip(),
    randomVerticalFlip(),
    randomResizedCrop({ width, height, scale: [0.5, 1] }),
    colorJitter({ brightness: 0.2, contrast: 0.2, saturation: 0.2 }),
  ]),
  callbacks: [
    progressBar({ title: "bccd-cells" }),
    checkpoints({ folder: saved, everyEpochs: 5, keepLast: 1 }),
  ],
  resumeFrom: saved,
});
const seconds = (performance.now() - started.milliseconds) / 1000;
const cpu = process.cpuUsage(started.cpu);
const result = {
  model: "bccd-cells",
  ...(await trained.evaluate(test)),
  testPictures: test.length,
  trainPictures: train.length,
  seconds,
  cpuSeconds: (cpu.user + cpu.system) / 1e6,
  loss: trained.epochs.at(-1)?.values,
  options: { epochs, width, height, learningRate, batchSize, seed },
  threads: device.threads,
  features: device.features,
};
await trained.save(join(folder, "model"));
trained.dispose();
console.log(JSON.stringify(result, undefined, 2));
if (resultFile !== undefined) await writeFile(resultFile, `${JSON.stringify(result, undefined, 2)}\n`);
