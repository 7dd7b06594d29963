import { applyLora, mergeLora, removeLora, writeAdapter } from "@ai/layers";
import { writeSafetensors } from "@ai/tensor";
import { loadDigits, turned } from "./digits.js";
import { convolutional } from "./models.js";
import { percent, type Row } from "./table.js";
import { accuracy, millisecondsPerCall, type RecipeOptions, train } from "./training.js";

/**
 * A network that reads upright digits learns those that lie on their side: all of its weights, or adapters alone, whose
 * file is a fraction of the model's and leaves it as it was.
 */
export async function lora({ images, testImages, epochs, print, signal }: RecipeOptions): Promise<Row[]> {
  const upright = await loadDigits("train", images);
  const [task, test] = [turned(upright), turned(await loadDigits("test", testImages))];
  const base = convolutional();
  await train(base, upright, { epochs, signal });
  const weights = await base.stateDict();
  const rows: Row[] = [];
  const variants = { "all weights": {}, LoRA: { useDora: false }, DoRA: { useDora: true } } as const;

  rows.push(await row("before", { model: base, trained: 0, fileBytes: 0, msPerStep: "" }));
  for (const [name, options] of Object.entries(variants)) {
    const model = convolutional();
    model.loadStateDict(weights);
    const adapted = name !== "all weights";
    if (adapted) applyLora(model, { ...options, targetModules: ["0", "3", "7", "9"], rank: 4, alpha: 16 });
    const trained = model.summary([1, 28, 28, 1]).trainableParameters;
    const seconds = await train(model, task, { epochs, learningRate: adapted ? 1e-2 : 2e-3, signal });
    const file = adapted
      ? (await writeAdapter(model)).get("adapter_model.safetensors")!
      : await writeSafetensors(await model.stateDict());
    if (adapted) {
      await mergeLora(model);
      removeLora(model);
    }
    const msPerStep = (1000 * seconds).toFixed(1);
    rows.push(await row(name, { model, trained, fileBytes: file.byteLength, msPerStep }));
    model.dispose();
  }
  base.dispose();
  print(
    "Digits on their side, by a network that was trained on upright ones (adapters are merged before they are timed):",
  );
  return rows;

  async function row(
    name: string,
    {
      model,
      ...cells
    }: { model: ReturnType<typeof convolutional>; trained: number; fileBytes: number; msPerStep: string },
  ): Promise<Row> {
    const { trained, fileBytes, msPerStep } = cells;
    return {
      name,
      "trained numbers": trained,
      "file bytes": fileBytes,
      "ms a step": msPerStep,
      "ms for 100 pictures": await millisecondsPerCall(model, 100),
      accuracy: percent(await accuracy(model, test)),
    };
  }
}
