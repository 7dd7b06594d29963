import { dispose, item, memory, mul, ones, randomNormal, read, square, sum, tensor } from "@ai/tensor";
import { describeEachDevice, expectNoLeak } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import { Linear, spectralNorm } from "../../index.js";
import { Parameter } from "../../parameter.js";
import { Adam, minimize, SGD } from "./index.js";

function parameterOf(...values: number[]): Parameter {
  const parameter = new Parameter([values.length], { initializer: () => tensor(values) });
  parameter.setValue(tensor(values));
  return parameter;
}

const host = (...values: number[]) =>
  ({ values: Float32Array.from(values), shape: [values.length], dtype: "float32" }) as const;

describeEachDevice("minimize", () => {
  it("is zero_grad, backward and step, and leaves what is frozen or without influence", async () => {
    await expectNoLeak(async () => {
      const [free, frozen, unused] = [parameterOf(1, 2), parameterOf(3), parameterOf(4)];
      frozen.requiresGrad = false;
      const optimizer = new SGD([free, frozen, unused], { learningRate: 0.1 });
      const compute = () => sum(mul(square(free.value), frozen.value)); // gradient 6 · free
      const loss = minimize(optimizer, compute);
      expect(await item(loss)).toBe(15);
      await expect(free.value).toBeCloseToTensor(host(0.4, 0.8));
      const clipped = minimize(optimizer, compute, { maxGradientNorm: 0.5 });
      await expect(free.value).toBeCloseToTensor(host(0.4 - 0.05 / Math.sqrt(5), 0.8 - 0.1 / Math.sqrt(5)));
      expect([...(await read(frozen.value)), ...(await read(unused.value))]).toEqual([3, 4]);
      dispose([loss, clipped]);
      for (const each of [optimizer, free, frozen, unused]) each.dispose();
    });
  });

  it("trains two models against each other and keeps the optimizers' memory alone", async () => {
    await expectNoLeak(async () => {
      const [maker, judge] = [new Linear(2, 2), spectralNorm(new Linear(2, 1))];
      const optimizers = [maker, judge].map((each) => new Adam(each.parameters(), { learningRate: 0.01 }));
      const round = () => {
        const judged = minimize(optimizers[1], () => sum(judge.call(maker.call(randomNormal([4, 2])))));
        const made = minimize(optimizers[0], () => sum(judge.call(maker.call(ones([4, 2])))));
        dispose([judged, made]);
      };
      round();
      const { numTensors } = memory();
      round();
      expect(memory().numTensors).toBe(numTensors);
      for (const each of [...optimizers, maker, judge]) each.dispose();
    });
  });

  it("refuses what is no loss, and changes nothing", async () => {
    await expectNoLeak(async () => {
      const [mine, other] = [parameterOf(1, 2), parameterOf(3)];
      const optimizer = new SGD([mine], { learningRate: 0.1 });
      const compute = () => sum(mine.value);
      expect(() => minimize(optimizer, () => sum(other.value))).toThrow(/ignores them all/);
      expect(() => minimize(optimizer, () => square(mine.value))).toThrow(/scalar/);
      expect(() => minimize(optimizer, compute, { maxGradientNorm: 0 })).toThrow(/above 0/);
      expect(() => minimize(optimizer, compute, { clip: 1 } as never)).toThrow(/maxGradientNorm/);
      expect(() => minimize(optimizer, mine as never)).toThrow(/write \(\) =>/);
      expect(() => minimize(optimizer, (async () => undefined) as never)).toThrow(/got a promise/);
      expect(() => minimize(compute as never, optimizer as never)).toThrow(/an optimizer first/);
      expect([...(await read(mine.value))]).toEqual([1, 2]);
      for (const each of [optimizer, mine, other]) each.dispose();
    });
  });
});
