import { Linear, ReLU, Sequential } from "@ai/layers";
import {
  AdamW,
  CosineAnnealingLR,
  crossEntropyLoss,
  DataLoader,
  minimize,
  TensorDataset,
} from "@ai/layers/training";
import { dispose, item, manualSeed, tensor, useDevice } from "@ai/tensor";

await useDevice("wasm");
manualSeed(1);
const x = tensor([
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
]); // [4, 2]
const y = tensor([0, 1, 1, 0], [4], "int32"); // [4]
const loader = new DataLoader(new TensorDataset([x, y]), { batchSize: 2, shuffle: true });

const model = new Sequential(new Linear(2, 16), new ReLU(), new Linear(16, 2));
const optimizer = new AdamW(model.parameters(), { learningRate: 0.05 });
const schedule = new CosineAnnealingLR(optimizer, { totalIterations: 120 });

model.train();
for (let epoch = 1; epoch <= 60; epoch++) {
  let last = 0;
  for await (const [inputs, labels] of loader) {
    const loss = minimize(optimizer, () => crossEntropyLoss(model.call(inputs), labels), {
      maxGradientNorm: 1,
    });
    schedule.step();
    last = await item(loss);
    dispose([inputs, labels, loss]);
  }
  if (epoch % 30 === 0) console.log(`epoch ${epoch}, loss below 0.1:`, last < 0.1);
}
model.eval();
