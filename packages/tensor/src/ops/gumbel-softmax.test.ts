import { beforeAll, describe, expect, it } from "vitest";
import {
  broadcastTo,
  dispose,
  gumbelSoftmax,
  log,
  mul,
  RandomGenerator,
  read,
  sum,
  tensor,
  useDevice,
  valueAndGrad,
  zeros,
} from "../index.js";
import { describeEachDevice, expectNoLeak } from "../testing/index.js";

describeEachDevice("gumbelSoftmax", () => {
  it("passes the gradient of the soft choice through the hard one, along any axis", async () => {
    const logits = tensor([1, -1, 0.5, 2, 0, -0.5], [3, 2]);
    const weights = tensor([1, 2, 3, 4, 5, 6], [3, 2]);
    const [soft, hard] = [false, true].map((each) =>
      valueAndGrad(
        () =>
          sum(
            mul(gumbelSoftmax(logits, { hard: each, axis: 0, generator: new RandomGenerator(2) }), weights),
          ),
        [logits],
      ),
    );
    await expect(hard.grads[0]).toBeCloseToTensor(soft.grads[0]);
    expect([...(await read(soft.grads[0]))].some((slope) => Math.abs(slope) > 0.01)).toBe(true);
    // one of 1, 3, 5 and one of 2, 4, 6
    expect((await read(hard.value))[0] % 2).toBeCloseTo(1, 5);
    await expectNoLeak(() => gumbelSoftmax(logits, { hard: true }).dispose());
    dispose([logits, weights, soft, hard]);
  });

  it("refuses what does not fit", () => {
    const logits = zeros([2, 3]);
    expect(() => gumbelSoftmax(logits, { temperature: 0 })).toThrow(
      "gumbelSoftmax: expected a temperature above 0, got 0",
    );
    expect(() => gumbelSoftmax(logits, { axis: 2 })).toThrow(/axis in \[-2, 2\)/);
    expect(() => gumbelSoftmax(zeros([2], "int32"))).toThrow(/expected float32 logits, got int32/);
    expect(() => gumbelSoftmax(logits, { tau: 1 } as never)).toThrow(/got one named tau/);
    logits.dispose();
  });
});

describe("on one device", () => {
  beforeAll(() => useDevice("cpu"));

  it("chooses each class with its probability, hard and soft alike", async () => {
    const logits = log(tensor([0.1, 0.2, 0.7]));
    const many = broadcastTo(logits, [2000, 3]);
    const [soft, hard] = [false, true].map((each) =>
      gumbelSoftmax(many, { temperature: 0.5, hard: each, generator: new RandomGenerator(5) }),
    );
    const [parts, choices] = await Promise.all([read(soft), read(hard)]);
    const counts = [0, 0, 0];
    for (let row = 0; row < 2000; row++) {
      const [a, b, c] = parts.subarray(3 * row, 3 * row + 3);
      const largest = [a, b, c].indexOf(Math.max(a, b, c));
      if (Math.abs(a + b + c - 1) > 1e-6) throw new Error(`a choice of sum ${a + b + c}`);
      if (Math.abs(choices[3 * row + largest] - 1) > 1e-6) throw new Error(`row ${row} chose another class`);
      counts[largest]++;
    }
    // four standard deviations of 2000 draws are at most 82
    [200, 400, 1400].forEach((expected, index) => {
      expect(Math.abs(counts[index] - expected)).toBeLessThan(82);
    });
    dispose([logits, many, soft, hard]);
  });
});
