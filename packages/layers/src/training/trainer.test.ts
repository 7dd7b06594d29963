import { manualSeed, read, relu, type Tensor } from "@ai/tensor";
import { describeEachDevice, expectNoLeak } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import { Dropout } from "../dropout.js";
import { Linear } from "../linear.js";
import { Module } from "../module.js";
import {
  Accuracy,
  AdamW,
  CrossEntropyLoss,
  DataLoader,
  type HostTensor,
  SGD,
  TensorDataset,
  Trainer,
} from "./index.js";

/** Two layers with dropout between them. */
class Perceptron extends Module<[x: Tensor], Tensor> {
  readonly hidden = new Linear(2, 16);
  readonly dropout: Dropout;
  readonly output = new Linear(16, 2);

  constructor(probability = 0) {
    super();
    this.dropout = new Dropout(probability);
  }

  protected forward(x: Tensor): Tensor {
    return this.output.call(this.dropout.call(relu(this.hidden.call(x))));
  }
}

/** Points of the plane; their class is whether both coordinates have one sign. */
function quadrants(count: number): TensorDataset {
  const generator = manualSeed(1).fork("points");
  const points = Float32Array.from({ length: 2 * count }, () => 2 * generator.uniform() - 1);
  const labels = Int32Array.from({ length: count }, (_, i) =>
    points[2 * i] * points[2 * i + 1] > 0 ? 1 : 0,
  );
  const inputs: HostTensor = { values: points, shape: [count, 2], dtype: "float32" };
  return new TensorDataset([inputs, { values: labels, shape: [count], dtype: "int32" }]);
}

async function weights(model: Perceptron): Promise<number[]> {
  return (await Promise.all(model.parameters().map(async ({ value }) => [...(await read(value))]))).flat();
}

describeEachDevice("Trainer", () => {
  it("learns a problem that is not linear, and leaves nothing in memory", async () => {
    await expectNoLeak(async () => {
      manualSeed(3);
      const model = new Perceptron();
      const optimizer = new AdamW(model.parameters(), { learningRate: 0.05 });
      const loader = new DataLoader(quadrants(128), { batchSize: 32, shuffle: true, seed: 5 });
      const trainer = new Trainer({
        model,
        optimizer,
        loss: new CrossEntropyLoss(),
        metrics: { accuracy: new Accuracy() },
      });
      const { outcome, history } = await trainer.fit(loader, {
        epochs: 12,
        validation: new DataLoader(quadrants(128), { batchSize: 64 }),
      });
      expect(outcome).toBe("finished");
      expect(history.losses).toHaveLength(48);
      expect(history.latest("validation.accuracy")).toBeGreaterThan(0.9);
      expect(history.latest("loss")).toBeLessThan(history.epochs[0].values.loss);
      optimizer.dispose();
      model.dispose();
    });
  });
});
