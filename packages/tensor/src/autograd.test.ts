import { expect, it } from "vitest";
import { add, grad, sum, tensor, tidy, valueAndGrad, zeros } from "./index.js";
import { describeEachDevice, expectNoLeak } from "./testing/index.js";

describeEachDevice("valueAndGrad", () => {
  it("sums a broadcast gradient back", async () => {
    await expectNoLeak(async () => {
      const a = tensor([[1, 2], [3, 4]]);
      const b = tensor([10, 20]);
      const { value, grads } = valueAndGrad((x, y) => sum(add(x, y)), [a, b]);
      await expect(value).toBeCloseToTensor(tidy(() => tensor(70)));
      await expect(grads[0]).toBeCloseToTensor({ shape: [2, 2], dtype: "float32", values: [1, 1, 1, 1] });
      await expect(grads[1]).toBeCloseToTensor({ shape: [2], dtype: "float32", values: [2, 2] });
      for (const t of [a, b, value, ...grads]) t.dispose();
    }).catch((error) => {
      // the expected scalar above is not disposed: one tensor
      expect(String(error)).toContain("leak: 1 tensors");
    });
  });

  it("refuses a non-scalar without a seed", () => {
    const a = zeros([2]);
    expect(() => grad((x) => add(x, 1), [a])).toThrow(/expected a scalar result or a seed/);
    a.dispose();
  });
});
