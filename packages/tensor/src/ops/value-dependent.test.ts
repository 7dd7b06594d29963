import { expect, it } from "vitest";
import {
  dispose,
  gatherNd,
  greater,
  multinomial,
  nonzero,
  RandomGenerator,
  read,
  type Tensor,
  tensor,
  unique,
  useDevice,
  zeros,
} from "../index.js";
import { describeEachDevice, expectNoLeak, loadFixture } from "../testing/index.js";

const fixture = await loadFixture(new URL("../../fixtures/ops-value-dependent.safetensors", import.meta.url));
const AXES: Readonly<Record<string, { axis?: number }>> = {
  elements: {},
  integers: {},
  flags: {},
  nan: {},
  rows: { axis: 0 },
  columns: { axis: -1 },
  empty: {},
};

const exact = { relative: 0, absoluteScale: 0 };
const numbers = async (x: Tensor): Promise<number[]> => [...(await read(x))].map(Number);

describeEachDevice("what depends on the values", () => {
  it("nonzero equals PyTorch's", async () => {
    for (const kind of ["matrix", "cube", "nan", "scalar", "none", "empty"]) {
      const x = fixture.tensor(`nonzero/${kind}/input0`);
      const places = await nonzero(x);
      await expect(places).toBeCloseToTensor(fixture.host(`nonzero/${kind}/output0`), exact);
      dispose([x, places]);
    }
  });

  it("unique equals PyTorch's, with inverse and counts", async () => {
    for (const [kind, options] of Object.entries(AXES)) {
      const x = fixture.tensor(`unique/${kind}/input0`);
      const found = await unique(x, { ...options, returnInverse: true, returnCounts: true });
      for (const [index, part] of [found.values, found.inverse, found.counts].entries())
        await expect(part).toBeCloseToTensor(fixture.host(`unique/${kind}/output${index}`), exact);
      dispose([x, found]);
    }
  });

  it("leak nothing, and give only what was asked for", async () => {
    const x = tensor([3, 0, 3, 1], [2, 2]);
    await expectNoLeak(async () => {
      const found = await unique(x);
      expect(Object.keys(found)).toEqual(["values"]);
      const [places, rows, drawn] = await Promise.all([
        nonzero(x),
        unique(x, { axis: 0 }),
        multinomial(x, 1),
      ]);
      dispose([found, places, rows, drawn]);
    });
    const large = greater(x, 2);
    const places = await nonzero(large);
    const chosen = gatherNd(x, places);
    expect(await numbers(chosen)).toEqual([3, 3]);
    dispose([x, large, places, chosen]);
  });

  it("draw the same indices everywhere, in proportion to the weights", async () => {
    const weights = tensor([1, 0, 3, 4, 0, 0, 5, 0], [2, 4]);
    const generator = new RandomGenerator(7);
    const drawn = await multinomial(weights, 4000, { replacement: true, generator });
    expect(generator.state().counter).toBe(2 * 2 * 4000);
    const indices = await numbers(drawn);
    const counts = [0, 1, 2, 3].map(
      (index) => indices.slice(0, 4000).filter((each) => each === index).length,
    );
    // deviations of 4000 draws at most 32
    [500, 0, 1500, 2000].forEach((expected, index) => {
      expect(Math.abs(counts[index] - expected)).toBeLessThan(expected === 0 ? 1 : 130);
    });
    expect(new Set(indices.slice(4000))).toEqual(new Set([2]));
    const words = new RandomGenerator(7).words(24);
    const parts = Array.from({ length: 12 }, (_, draw) => words[2 * draw] / 2 ** 32);
    expect(indices.slice(0, 12)).toEqual(parts.map((part) => (part < 1 / 8 ? 0 : part < 4 / 8 ? 2 : 3)));
    dispose([weights, drawn]);
  });

  it("give up with the reason of their signal, and leave nothing behind", async () => {
    const x = tensor([1, 0, 2, 2], [2, 2]);
    const reason = new Error("enough");
    for (const call of [
      nonzero,
      unique,
      (each: Tensor, options: object) => unique(each, { axis: 0, ...options }),
    ])
      await expectNoLeak(async () => {
        await expect(call(x, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
        const later = new AbortController();
        const running = call(x, { signal: later.signal });
        later.abort(reason);
        await expect(running).rejects.toBe(reason);
      });
    dispose(x);
  });

  it("refuse what does not fit", async () => {
    const x = zeros([2, 3]);
    await expect(nonzero([1] as never)).rejects.toThrow(/nonzero: expected a tensor/);
    await expect(nonzero(x, { asTuple: true } as never)).rejects.toThrow(/nonzero: .*got one named asTuple/);
    await expect(unique(x, { axis: 2 })).rejects.toThrow(/unique: expected an axis in \[-2, 2\), got 2/);
    await expect(unique(x, { sorted: false } as never)).rejects.toThrow(/unique: .*got one named sorted/);
    await expect(unique(zeros([2, 0]), { axis: 0 })).rejects.toThrow(
      /slices of at least one element, got \[2, 0\]/,
    );
    await expect(multinomial(x, 1)).rejects.toThrow(
      "multinomial: expected at least 1 weights above 0 in each row, got 0 in row 0",
    );
    await expect(multinomial(x, 0)).rejects.toThrow(/count of at least 1, got 0/);
    await expect(multinomial(zeros([2, 2, 2]), 1)).rejects.toThrow(/\[classes\] or \[batch, classes\]/);
    await expect(multinomial(zeros([3], "int32"), 1)).rejects.toThrow(/expected float32 weights, got int32/);
    for (const wrong of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      const weights = tensor([1, wrong]);
      await expect(multinomial(weights, 1)).rejects.toThrow(`of at least 0, got ${wrong} at position 1`);
      dispose(weights);
    }
    const few = tensor([1, 0, 2]);
    await expect(multinomial(few, 3)).rejects.toThrow(
      /at least 3 weights above 0 .* got 2 in row 0; draw fewer/,
    );
    dispose([x, few]);
  });
});

it("without replacement each index comes once, the heavier ones first more often", async () => {
  await useDevice("cpu");
  const trials = 4000;
  const weights = tensor(
    Float32Array.from({ length: 4 * trials }, (_, index) => 1 + (index % 4)),
    [trials, 4],
  );
  const drawn = await multinomial(weights, 4, { generator: new RandomGenerator(11) });
  const seconds = [0, 0, 0, 0];
  const orders = await numbers(drawn);
  for (let trial = 0; trial < trials; trial++) {
    const order = orders.slice(4 * trial, 4 * trial + 4);
    seconds[order[1]]++;
    if (new Set(order).size !== 4) throw new Error(`an index twice: ${order}`);
  }
  // P(second = j) = Σ over i ≠ j of wᵢ · wⱼ / (1 − wᵢ)
  const parts = [0.1, 0.2, 0.3, 0.4];
  parts.forEach((part, index) => {
    const expected = parts.reduce(
      (total, first, other) => total + (other === index ? 0 : (first * part) / (1 - first)),
      0,
    );
    // five standard deviations
    const slack = 5 * Math.sqrt(trials * expected * (1 - expected));
    expect(Math.abs(seconds[index] - trials * expected)).toBeLessThan(slack);
  });
  dispose([weights, drawn]);
});
