import type { Sequential, StateDict } from "@ai/layers";
import {
  makePruningPermanent,
  pruneChannels,
  pruneWeights,
  removePrunedChannels,
  sparsityReport,
} from "@ai/layers/training";
import { writeSafetensors } from "@ai/tensor";
import { loadDigits } from "./digits.js";
import { convolutional } from "./models.js";
import { percent, type Row } from "./table.js";
import { accuracy, millisecondsPerCall, type RecipeOptions, train } from "./training.js";

/** Without the masks, which only further training needs. Zeros are stored like other numbers. */
function weightsOnly(state: StateDict): StateDict {
  return new Map([...state].filter(([name]) => !name.endsWith("_mask")));
}

/**
 * Sets the smallest nine of ten weights of a network to 0 and trains on; or takes half of its channels out, which makes
 * it smaller and faster too.
 */
export async function pruning({ images, testImages, epochs, print, signal }: RecipeOptions): Promise<Row[]> {
  const digits = await loadDigits("train", images);
  const test = await loadDigits("test", testImages);
  const model = convolutional(24);
  await train(model, digits, { epochs, signal });
  const weights = await model.stateDict();
  const rows = [await row("before", model)];

  await pruneWeights(model, { amount: 0.9, scope: "global" });
  rows.push(await row("90 % of the weights", model));
  await train(model, digits, { epochs, learningRate: 1e-3, signal });
  rows.push(await row("… and trained on", model));
  makePruningPermanent(model);
  const report = String(await sparsityReport(model));

  model.loadStateDict(weights);
  await pruneChannels(model, { amount: 0.5, predicate: (path) => path !== "9" });
  const small = await removePrunedChannels(model);
  rows.push(await row("half of the channels", small));
  await train(small, digits, { epochs, learningRate: 1e-3, signal });
  rows.push(await row("… and trained on", small));
  model.dispose();
  small.dispose();
  print(report);
  print("A network, pruned and trained on:");
  return rows;

  async function row(name: string, pruned: Sequential): Promise<Row> {
    const { numbers, zeros } = await sparsityReport(pruned);
    return {
      name,
      numbers,
      "not 0": numbers - zeros,
      "file bytes": (await writeSafetensors(weightsOnly(await pruned.stateDict()))).byteLength,
      "ms for 100 pictures": await millisecondsPerCall(pruned, 100),
      accuracy: percent(await accuracy(pruned, test)),
    };
  }
}
