import { manualSeed, memory } from "@ai/tensor";
import { loadDigits } from "./digits.js";
import { RowReader } from "./models.js";
import { percent, type Row } from "./table.js";
import { accuracy, type RecipeOptions, train } from "./training.js";

/**
 * Trains a stack of transformer layers that keeps everything for the backward pass, or each layer's input alone and
 * computes the rest again: the same weights, less memory, more time.
 */
export async function checkpointing(options: RecipeOptions): Promise<Row[]> {
  const { images, testImages, epochs, print, signal } = options;
  // memory is the same in every step: few are enough
  const digits = await loadDigits("train", Math.ceil(images / 4));
  const test = await loadDigits("test", testImages);
  const rows: Row[] = [];
  for (const on of [false, true]) {
    manualSeed(3); // the same dropout in both
    const model = new RowReader({ dim: 32, numLayers: 6, checkpointing: on }).initialize({ seed: 3 });
    model.parameters();
    const before = memory().numBytes;
    let most = 0;
    // at the end of the last layer's forward pass lies what the backward pass needs
    const remove = model.head.registerForwardHook(() => {
      most = Math.max(most, memory().numBytes - before);
      return undefined;
    });
    const seconds = await train(model, digits, { epochs, signal });
    remove();
    rows.push({
      name: on ? "checkpointing" : "everything kept",
      "bytes for the backward pass": most,
      "ms a step": 1000 * seconds,
      accuracy: percent(await accuracy(model, test)),
    });
    model.dispose();
  }
  print("Six transformer layers that read a picture row by row:");
  return rows;
}
