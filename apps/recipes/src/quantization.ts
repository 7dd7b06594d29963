import { loadQuantized, quantizationReport, quantizeModel, writeQuantized } from "@ai/layers";
import { tensor } from "@ai/tensor";
import { IMAGE_SIZE, loadDigits } from "./digits.js";
import { dense } from "./models.js";
import { percent, type Row } from "./table.js";
import { accuracy, type DigitModel, millisecondsPerCall, type RecipeOptions, train } from "./training.js";

/** Weights of 8 and 4 bits: a report of what each costs, the files, and the model that is loaded from them. */
export async function quantization(options: RecipeOptions): Promise<Row[]> {
  const { images, testImages, epochs, print, signal } = options;
  const digits = await loadDigits("train", images);
  const test = await loadDigits("test", testImages);
  const build = () => dense(512);
  const model = build();
  await train(model, digits, { epochs, signal });
  const weights = await model.stateDict();
  const sample = tensor(test.images.slice(0, 50 * IMAGE_SIZE ** 2), [50, IMAGE_SIZE, IMAGE_SIZE, 1]);
  const rows = [await row("float32", model, (await writeQuantized(model)).byteLength)];
  for (const [name, how] of Object.entries({
    "int8, a scale a row": { bits: 8 },
    "int4, groups of 64": { bits: 4, groupSize: 64 },
    "int4, groups of 32": { bits: 4, groupSize: 32, symmetric: false },
  } as const)) {
    const copy = build();
    copy.loadStateDict(weights);
    const report = await quantizationReport(copy, {
      ...how,
      sampleInputs: [[sample]],
      metric: () => accuracy(copy, test),
    });
    print(`${name}\n${String(report)}\n`);
    quantizeModel(copy, how);
    const file = await writeQuantized(copy);
    const loaded = await loadQuantized(build(), file);
    rows.push(await row(name, loaded, file.byteLength));
    loaded.dispose();
    copy.dispose();
  }
  sample.dispose();
  model.dispose();
  print("A model from its quantized files:");
  return rows;

  async function row(name: string, measured: DigitModel, fileBytes: number): Promise<Row> {
    return {
      name,
      "file bytes": fileBytes,
      "ms for 1 picture": await millisecondsPerCall(measured, 1),
      "ms for 100 pictures": await millisecondsPerCall(measured, 100),
      accuracy: percent(await accuracy(measured, test)),
    };
  }
}
