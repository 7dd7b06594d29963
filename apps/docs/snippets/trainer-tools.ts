import { Linear, ReLU, Sequential } from "@ai/layers";
import {
  AdamW,
  CrossEntropyLoss,
  DataLoader,
  findLearningRate,
  overfitOneBatch,
  predict,
  TensorDataset,
  Trainer,
} from "@ai/layers/training";
import { manualSeed, tensor, useDevice } from "@ai/tensor";

await useDevice("wasm");
manualSeed(1);
const points = tensor([
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
]); // [4, 2]
const exclusiveOr = tensor([0, 1, 1, 0], [4], "int32"); // [4]
const loader = new DataLoader(new TensorDataset([points, exclusiveOr]), { batchSize: 4 });

const model = new Sequential(new Linear(2, 16), new ReLU(), new Linear(16, 2));
const trainer = new Trainer({
  model,
  loss: new CrossEntropyLoss(),
  optimizer: new AdamW(model.parameters(), { learningRate: 0.05 }),
});

const { suggestion = 0 } = await findLearningRate(trainer, loader, { minLearningRate: 1e-4 });
console.log("a rate between 0.001 and 1:", suggestion > 1e-3 && suggestion < 1);

console.log("learns one batch by heart:", (await overfitOneBatch(trainer, loader)).passed);

model.requiresGrad(false);
model.parameters()[3].requiresGrad = true; // only the last bias learns
const { problems } = await overfitOneBatch(trainer, loader, { steps: 5 });
for (const { message } of problems) console.log("-", message);

const { shape } = await predict(model, loader);
console.log("scores:", shape);
