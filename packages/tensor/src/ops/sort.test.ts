import { expect, it } from "vitest";
import {
  argsort,
  dispose,
  grad,
  read,
  type SortResult,
  sort,
  sum,
  type Tensor,
  tensor,
  topK,
  zeros,
} from "../index.js";
import { describeEachDevice, expectFixtureCase, expectNoLeak, loadFixture } from "../testing/index.js";

const fixture = await loadFixture(new URL("../../fixtures/ops-sort.safetensors", import.meta.url));

const CASES: Record<string, (x: Tensor) => SortResult> = {
  "sort/last": (x) => sort(x),
  "sort/middle": (x) => sort(x, { axis: 1, descending: true }),
  "sort/long": (x) => sort(x),
  "sort/ties": (x) => sort(x),
  "sort/tiesDescending": (x) => sort(x, { descending: true }),
  "sort/special": (x) => sort(x),
  "sort/specialDescending": (x) => sort(x, { descending: true }),
  "topK/last": (x) => topK(x, 3),
  "topK/smallest": (x) => topK(x, 2, { axis: 1, largest: false }),
  "topK/ties": (x) => topK(x, 4),
  "topK/special": (x) => topK(x, 4),
  "topK/many": (x) => topK(x, 70),
};

describeEachDevice("sort", () => {
  for (const [name, compute] of Object.entries(CASES))
    it(`${name} equals PyTorch`, async () => {
      await expectFixtureCase(fixture, name, ([x]) => compute(x).values);
      const x = fixture.tensor(`${name}/input0`);
      const { values, indices } = compute(x);
      await expect(indices).toBeCloseToTensor(fixture.host(`${name}/indices`), {
        relative: 0,
        absoluteScale: 0,
      });
      dispose([x, values, indices]);
    });

  it("orders integers that float32 cannot tell apart, and booleans", async () => {
    const x = fixture.tensor("integers/input0");
    const { values, indices } = sort(x);
    const order = argsort(x, { descending: true });
    expect([...(await read(values))]).toEqual([-2147483648, -5, 16777216, 16777217, 16777218, 2147483647]);
    expect([...(await read(indices))]).toEqual([4, 2, 1, 0, 5, 3]);
    expect([...(await read(order))]).toEqual([3, 5, 0, 1, 2, 4]);
    const flags = tensor([true, false, true]);
    const sorted = argsort(flags);
    expect([...(await read(sorted))]).toEqual([1, 0, 2]);
    dispose([x, values, indices, order, flags, sorted]);
  });

  it("takes sizes of 0 and k of 0", () => {
    const x = zeros([2, 0]);
    const empty = sort(x);
    const none = topK(zeros([2, 3]), 0);
    expect(empty.values.shape).toEqual([2, 0]);
    expect(none.indices.shape).toEqual([2, 0]);
    dispose([x, empty.values, empty.indices, none.values, none.indices]);
  });

  it("leaks nothing and refuses what does not fit", async () => {
    const x = tensor([3, 1, 2]);
    await expectNoLeak(() => dispose(grad((value) => sum(topK(value, 2).values), [x])));
    await expectNoLeak(() => dispose(argsort(x)));
    expect(() => topK(x, 4)).toThrow("topK: expected k in [0, 3], the length of axis 0, got 4");
    expect(() => topK(x, 1.5)).toThrow(/got 1.5/);
    expect(() => sort(x, { axis: 1 })).toThrow(/axis in \[-1, 1\)/);
    dispose(x);
  });
});
