import { halfPrecision } from "@ai/layers";
import { writeSafetensors } from "@ai/tensor";
import { loadDigits } from "./digits.js";
import { dense } from "./models.js";
import { percent, type Row } from "./table.js";
import { accuracy, millisecondsPerCall, type RecipeOptions, train } from "./training.js";

/** Half the bytes in the file, float32 in memory: what `model.save(path, { dtype: "F16" })` writes, loaded again. */
export async function half({ images, testImages, epochs, print, signal }: RecipeOptions): Promise<Row[]> {
  const digits = await loadDigits("train", images);
  const test = await loadDigits("test", testImages);
  const model = dense(256);
  await train(model, digits, { epochs, signal });
  const state = await model.stateDict();
  const files = {
    F32: await writeSafetensors(state),
    F16: await writeSafetensors(halfPrecision(state, "F16")),
    BF16: await writeSafetensors(halfPrecision(state, "BF16")),
  };
  model.dispose();
  const rows: Row[] = [];
  for (const [name, file] of Object.entries(files)) {
    const loaded = dense(256);
    const started = performance.now();
    await loaded.load(file);
    rows.push({
      name,
      "file bytes": file.byteLength,
      "ms to load": performance.now() - started,
      "ms for 100 pictures": await millisecondsPerCall(loaded, 100),
      accuracy: percent(await accuracy(loaded, test)),
    });
    loaded.dispose();
  }
  print("A model from files of 4 and 2 bytes a number:");
  return rows;
}
