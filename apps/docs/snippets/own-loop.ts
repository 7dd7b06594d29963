import { Linear, ReLU, Sequential } from "@ai/layers";
import { AdamW, clipGradNorm, crossEntropyLoss } from "@ai/layers/training";
import { dispose, manualSeed, tensor, toArray, useDevice, valueAndGrad } from "@ai/tensor";

await useDevice("wasm");
manualSeed(1);
const x = tensor([
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
]); // [4, 2]
const y = tensor([0, 1, 1, 0], [4], "int32"); // [4]

const model = new Sequential(new Linear(2, 16), new ReLU(), new Linear(16, 2));
const optimizer = new AdamW(model.parameters(), { learningRate: 0.05 });
const weights = optimizer.parameters.map((parameter) => parameter.value);

model.train();
for (let step = 0; step < 60; step++) {
  const { value, grads } = valueAndGrad(() => crossEntropyLoss(model.call(x), y), weights);
  const { gradients, totalNorm } = clipGradNorm(grads, 1);
  optimizer.step(gradients);
  if (step % 59 === 0) console.log(`step ${step}, loss below 0.1:`, Number(await toArray(value)) < 0.1);
  dispose([value, totalNorm, ...grads, ...gradients]);
}
model.eval();
