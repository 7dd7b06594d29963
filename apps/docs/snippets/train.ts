import { Linear, ReLU, Sequential } from "@ai/layers";
import { AdamW, CrossEntropyLoss, DataLoader, TensorDataset, Trainer } from "@ai/layers/training";
import { argMax, manualSeed, tensor, toArray, useDevice } from "@ai/tensor";

await useDevice("wasm");
manualSeed(1);
const points = tensor([
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
]); // [4, 2]
const exclusiveOr = tensor([0, 1, 1, 0], [4], "int32"); // [4]

const model = new Sequential(new Linear(2, 16), new ReLU(), new Linear(16, 2));
const trainer = new Trainer({
  model,
  loss: new CrossEntropyLoss(),
  optimizer: new AdamW(model.parameters(), { learningRate: 0.05 }),
});
const loader = new DataLoader(new TensorDataset([points, exclusiveOr]), { batchSize: 4, shuffle: true });
await trainer.fit(loader, { epochs: 60 });

console.log("learned:", await toArray(argMax(model.call(points), { axis: 1 })));
