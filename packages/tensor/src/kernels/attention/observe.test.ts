import { expect, it } from "vitest";
import {
  type AttentionCall,
  announceAttention,
  dispose,
  observeAttention,
  RandomGenerator,
  randomNormal,
  scaledDotProductAttention,
  type Tensor,
  withinLayer,
} from "../../index.js";
import { matMul } from "../../ops/matmul.js";
import { describeEachDevice, expectNoLeak } from "../../testing/index.js";

const generator = new RandomGenerator(4);
const normal = (...shape: number[]): Tensor => randomNormal(shape, { generator });

describeEachDevice("observeAttention", () => {
  it("names the layer and gives the weights that the result was made of, when asked", async () => {
    const [query, key, value] = [normal(1, 2, 3, 4), normal(1, 2, 5, 4), normal(1, 2, 5, 6)];
    const weights: Tensor[] = [];
    const names: string[] = [];
    await expectNoLeak(() => {
      const output = observeAttention(
        (call) => names.push(call.layer),
        () =>
          withinLayer("model", () =>
            withinLayer("layers.0", () => scaledDotProductAttention(query, key, value)),
          ),
      );
      output.dispose();
    });
    const output = observeAttention(
      (call) => weights.push(call.weights()),
      () => scaledDotProductAttention(query, key, value, { isCausal: true }),
    );
    const product = matMul(weights[0], value);
    expect(names).toContain("model.layers.0");
    expect(weights[0].shape).toEqual([1, 2, 3, 5]);
    await expect(product).toBeCloseToTensor(output, { absoluteScale: 1e-5 });
    dispose([query, key, value, weights, output, product]);
  });

  it("ends with its function, also when that throws, and passes on what is announced", () => {
    const calls: AttentionCall[] = [];
    const failing = (): never => {
      throw new Error("inside");
    };
    expect(() => observeAttention((call) => calls.push(call), failing)).toThrow("inside");
    announceAttention(failing); // nobody asks
    observeAttention(
      (call) => calls.push(call),
      () => announceAttention(failing),
    );
    expect(calls.length).toBe(1);
    expect(calls[0].weights).toThrow("inside");
  });
});
