import { sum, type Tensor, tensor, valueAndGrad } from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import * as layers from "./index.js";
import { loadLayerFixture } from "./testing/layer-cases.js";

/** Attributes as in tooling/fixtures/layers/activation_edges.py. */
const build = (): layers.Module<[x: Tensor], Tensor>[] => [
  new layers.CELU({ alpha: 2 }),
  new layers.ELU(),
  new layers.Hardshrink(),
  new layers.Hardsigmoid(),
  new layers.Hardswish(),
  new layers.Hardtanh(),
  new layers.LeakyReLU(),
  new layers.PReLU(),
  new layers.ReLU(),
  new layers.ReLU6(),
  new layers.SELU(),
  new layers.Softshrink(),
  new layers.Tanhshrink(),
  new layers.Threshold({ threshold: 1, value: 5 }),
];

describeEachDevice("activations equal PyTorch's where they bend, at NaN and at infinity", () => {
  it("outputs and gradients", async () => {
    const fixture = await loadLayerFixture("activation-edges");
    const x = fixture.tensor("x");
    const failures: string[] = [];
    for (const layer of build()) {
      const { name } = layer.constructor;
      const output = layer.call(x);
      const {
        grads: [gradient],
      } = valueAndGrad(() => sum(layer.call(x)), [x]);
      for (const [what, actual] of Object.entries({ output, gradient }))
        await expect(actual)
          .toBeCloseToTensor(fixture.host(`${name}/${what}`))
          .catch((error: Error) => failures.push(`${name} ${what}: ${error.message}`));
    }
    expect(failures).toEqual([]);
  });

  it("PReLU's slope", async () => {
    const layer = new layers.PReLU();
    const [parameter] = layer.parameters();
    const {
      grads: [gradient],
    } = valueAndGrad(() => sum(layer.call(tensor([-2, 0, 3, Number.POSITIVE_INFINITY]))), [parameter.value]);
    await expect(gradient).toBeCloseToTensor(
      (await loadLayerFixture("activation-edges")).host("PReLU/weight"),
    );
  });
});
