import { expect, it } from "vitest";
import {
  add,
  dispose,
  gather,
  gatherNd,
  grad,
  indexAdd,
  oneHot,
  read,
  reshape,
  scatterAdd,
  scatterNd,
  sum,
  type Tensor,
  takeAlongAxis,
  tensor,
  tidy,
  zeros,
} from "../index.js";
import { describeEachDevice, expectFixtureCase, expectNoLeak, loadFixture } from "../testing/index.js";

const fixture = await loadFixture(new URL("../../fixtures/ops-indexing.safetensors", import.meta.url));

const CASES: Record<string, (inputs: Tensor[]) => Tensor> = {
  "gather/rows": ([x, indices]) => gather(x, indices),
  "gather/middle": ([x, indices]) => gather(x, indices, { axis: 1 }),
  "gather/last": ([x, indices]) => gather(x, indices, { axis: -1 }),
  "gather/scalar": ([x, index]) => gather(x, index, { axis: 1 }),
  "gather/wide": ([x, indices]) => gather(x, indices),
  "gather/none": ([x, indices]) => gather(x, indices, { axis: 1 }),
  "takeAlongAxis/same": ([x, indices]) => takeAlongAxis(x, indices, { axis: 1 }),
  "takeAlongAxis/smaller": ([x, indices]) => takeAlongAxis(x, indices, { axis: 2 }),
  "takeAlongAxis/first": ([x, indices]) => takeAlongAxis(x, indices, { axis: -3 }),
  "gatherNd/points": ([x, indices]) => gatherNd(x, indices),
  "gatherNd/rows": ([x, indices]) => gatherNd(x, indices),
  "scatterNd/points": ([indices, updates]) => scatterNd(indices, updates, [4, 3]),
  "scatterNd/rows": ([indices, updates]) => scatterNd(indices, updates, [4, 3]),
  "scatterAdd/same": ([x, indices, updates]) => scatterAdd(x, indices, updates, { axis: 1 }),
  "scatterAdd/smaller": ([x, indices, updates]) => scatterAdd(x, indices, updates, { axis: 2 }),
  "indexAdd/rows": ([x, indices, updates]) => indexAdd(x, indices, updates),
  "indexAdd/last": ([x, indices, updates]) => indexAdd(x, indices, updates, { axis: -1 }),
  "oneHot/matrix": ([indices]) => oneHot(indices, 6),
};

const int32 = (...values: number[]): Tensor => tensor(Int32Array.from(values));

describeEachDevice("indexing", (device) => {
  for (const [name, compute] of Object.entries(CASES))
    it(`${name} equals PyTorch`, () => expectFixtureCase(fixture, name, compute));

  it("keeps integers beyond 2^24 exact", async () => {
    const x = int32(16777217, -2147483648, 2147483647);
    const indices = int32(2, 0, 0);
    const picked = gather(x, indices);
    const taken = takeAlongAxis(x, indices, { axis: 0 });
    const added = indexAdd(x, indices, x);
    expect([...(await read(picked))]).toEqual([2147483647, 16777217, 16777217]);
    expect([...(await read(taken))]).toEqual([2147483647, 16777217, 16777217]);
    // int32 sums wrap around
    expect([...(await read(added))]).toEqual([
      (16777217 - 2147483648 + 2147483647) | 0,
      -2147483648,
      (2147483647 + 16777217) | 0,
    ]);
    dispose([x, indices, picked, taken, added]);
  });

  it("keeps NaN and infinities, and moves booleans", async () => {
    const x = tensor([Number.NaN, Number.NEGATIVE_INFINITY, 1]);
    const flags = tensor([true, false, true]);
    const indices = int32(0, 1, 2, 0);
    const picked = gather(x, indices);
    const flagged = gather(flags, indices);
    expect([...(await read(picked))]).toEqual([Number.NaN, Number.NEGATIVE_INFINITY, 1, Number.NaN]);
    expect(flagged.dtype).toBe("bool");
    expect([...(await read(flagged))].map(Boolean)).toEqual([true, false, true, true]);
    dispose([x, flags, indices, picked, flagged]);
  });

  it("takes sizes of 0", async () => {
    const rows = zeros([3, 0]);
    const nothing = zeros([0], "int32");
    const two = int32(2, 1);
    const picked = gather(rows, two);
    const sums = scatterNd(zeros([0, 1], "int32"), zeros([0, 2]), [3, 2]);
    const hot = oneHot(nothing, 3);
    expect(picked.shape).toEqual([2, 0]);
    expect(hot.shape).toEqual([0, 3]);
    await expect(sums).toBeCloseToTensor({ shape: [3, 2], dtype: "float32", values: [0, 0, 0, 0, 0, 0] });
    dispose([rows, nothing, two, picked, sums, hot]);
  });

  it("refuses an index out of range, negative ones included", () => {
    const x = zeros([3, 4]);
    const high = int32(0, 3);
    const negative = int32(-1);
    const wide = tensor(Int32Array.of(0, 4), [1, 2]);
    const updates = zeros([1, 2]);
    expect(() => gather(x, high)).toThrow("gather: expected indices in [0, 3), got 3 at position 1");
    expect(() => gather(x, negative)).toThrow(/got -1 at position 0; negative indices are not counted/);
    expect(() => takeAlongAxis(x, wide, { axis: 1 })).toThrow(
      /takeAlongAxis: expected indices in \[0, 4\), got 4/,
    );
    expect(() => scatterAdd(x, wide, updates, { axis: 1 })).toThrow(
      /scatterAdd: expected indices in \[0, 4\), got 4/,
    );
    expect(() => gatherNd(x, wide)).toThrow(/gatherNd: expected indices in \[0, 4\), got 4/);
    expect(() => scatterNd(wide, zeros([1]), [1, 4])).toThrow(
      /scatterNd: expected indices in \[0, 4\), got 4/,
    );
    expect(() => indexAdd(x, high, zeros([2, 4]))).toThrow(/indexAdd: expected indices in \[0, 3\), got 3/);
    expect(() => oneHot(high, 3)).toThrow(/oneHot: expected indices in \[0, 3\), got 3/);
    dispose([x, high, negative, wide, updates]);
  });

  it("names the op of an index that was computed on the device", async () => {
    const x = zeros([3, 4]);
    const one = int32(1);
    const four = tidy(() => add(one, 3)); // never on the host of a GPU
    const pair = tidy(() => reshape(four, [1, 1]));
    const row = zeros([1, 4]);
    const cell = zeros([1, 1]);
    const single = zeros([1]);
    const calls: Record<string, () => Tensor> = {
      gather: () => gather(x, four),
      takeAlongAxis: () => takeAlongAxis(x, pair, { axis: 1 }),
      indexAdd: () => indexAdd(x, four, row),
      scatterAdd: () => scatterAdd(x, pair, cell, { axis: 1 }),
      gatherNd: () => gatherNd(single, pair),
      scatterNd: () => scatterNd(pair, single, [3]),
      oneHot: () => oneHot(four, 3),
    };
    for (const [name, call] of Object.entries(calls)) {
      const message = new RegExp(`^${name}: expected indices in \\[0, \\d\\), got 4`);
      if (device === "webgpu") {
        const y = call();
        await expect(read(y)).rejects.toThrow(message);
        y.dispose();
      } else expect(call).toThrow(message);
    }
    dispose([x, one, four, pair, row, cell, single]);
  });

  it("leaks nothing", async () => {
    for (const name of [
      "gather/middle",
      "takeAlongAxis/smaller",
      "scatterAdd/smaller",
      "gatherNd/rows",
      "scatterNd/rows",
    ]) {
      const inputs = [0, 1, 2].flatMap((n) =>
        fixture.has(`${name}/input${n}`) ? [fixture.tensor(`${name}/input${n}`)] : [],
      );
      const floats = inputs.filter(({ dtype }) => dtype === "float32");
      await expectNoLeak(() => dispose(grad(() => sum(CASES[name](inputs)), floats)));
      dispose(inputs);
    }
  });

  it("refuses what does not fit", () => {
    const x = zeros([3, 4]);
    const indices = int32(0, 1);
    expect(() => gather(x, x)).toThrow(/expected int32 indices, got float32/);
    expect(() => gather(x, indices, { axis: 2 })).toThrow(/axis in \[-2, 2\)/);
    expect(() => takeAlongAxis(x, indices, { axis: 0 })).toThrow(/indices of the same rank/);
    expect(() => indexAdd(x, indices, zeros([3, 4]))).toThrow(/updates \[2, 4\]/);
    expect(() => scatterAdd(x, indices, x, { axis: 0 })).toThrow(/indices of the/);
    expect(() => scatterNd(indices, zeros([3]), [5])).toThrow(/depth at most 1/);
    expect(() => oneHot(indices, -1)).toThrow(/depth of at least 0/);
    expect(() => indexAdd(zeros([3], "bool"), indices, zeros([2], "bool"))).toThrow(
      /two float32 or two int32/,
    );
    dispose([x, indices]);
  });
});
