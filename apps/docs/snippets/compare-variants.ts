import { LayerNorm, Linear, ReLU, RMSNorm, replaceModules, Sequential } from "@ai/layers";
import { AdamW, compareVariants, crossEntropyLoss, DataLoader, TensorDataset } from "@ai/layers/training";
import { type Tensor, useDevice } from "@ai/tensor";

await useDevice("wasm");
const values = Float32Array.from({ length: 200 }, (_, index) => Math.sin(index * 12.9898)); // 100 points
const labels = Int32Array.from({ length: 100 }, (_, row) =>
  Number(values[2 * row] * values[2 * row + 1] > 0),
);
const points = new TensorDataset([
  { values, shape: [100, 2], dtype: "float32" },
  { values: labels, shape: [100], dtype: "int32" },
]);
const batches = (seed: number) =>
  new DataLoader<unknown, readonly Tensor[]>(points, { batchSize: 10, shuffle: true, seed });

const { variants } = await compareVariants(
  [
    { name: "no norm", create: () => new Sequential(new Linear(2, 16), new ReLU(), new Linear(16, 2)) },
    { name: "layer norm" },
    {
      name: "RMS norm",
      change: (model) =>
        replaceModules<LayerNorm>(
          model,
          (module) => module instanceof LayerNorm,
          (old) => new RMSNorm(old.normalizedShape[0]),
        ),
    },
  ],
  {
    base: () => new Sequential(new Linear(2, 16), new LayerNorm(16), new ReLU(), new Linear(16, 2)),
    epochs: 10,
    seeds: [1, 2],
    setup: (model, seed) => ({
      data: batches(seed),
      validation: batches(seed),
      trainer: {
        optimizer: new AdamW(model.parameters(), { learningRate: 0.02 }),
        loss: crossEntropyLoss,
      },
    }),
  },
);
for (const { name, parameters, multiplyAddsPerSample, runs } of variants)
  console.log(
    name,
    parameters,
    multiplyAddsPerSample,
    runs.map(({ values }) => values.loss.toFixed(2)).join(" "),
  );
