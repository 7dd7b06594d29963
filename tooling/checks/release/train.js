/** Five steps on a line by the packed packages; the same file runs in Node, in a bundle and in a plain page. */

import { Linear, ReLU, Sequential } from "@ai/layers";
import { AdamW, DataLoader, MSELoss, TensorDataset, Trainer } from "@ai/layers/training";
import { manualSeed, tensor, useDevice } from "@ai/tensor";

export async function train(device) {
  await useDevice(device);
  manualSeed(1);
  const x = tensor([[0], [1], [2], [3]]);
  const y = tensor([[1], [3], [5], [7]]);
  const model = new Sequential(new Linear(1, 8), new ReLU(), new Linear(8, 1));
  const trainer = new Trainer({
    model,
    loss: new MSELoss(),
    optimizer: new AdamW(model.parameters(), { learningRate: 0.05 }),
  });
  await trainer.fit(new DataLoader(new TensorDataset([x, y]), { batchSize: 4 }), { epochs: 5 });
  return trainer.history.losses;
}
