import { expect, it } from "vitest";
import { rotaryEmbedding, rotaryTables, zeros } from "../../index.js";
import {
  describeEachDevice,
  describeKernel,
  expectFixtureCase,
  expectNoLeak,
  loadFixture,
  randomHostTensor,
} from "../../testing/index.js";
import { rotaryEmbeddingKernel } from "./rotary-embedding.js";

const fixture = await loadFixture(new URL("../../../fixtures/kernels.safetensors", import.meta.url));

describeEachDevice("rotaryEmbedding", () => {
  it("equals PyTorch in both layouts, second derivatives included", async () => {
    for (const [name, interleaved] of Object.entries({
      half: false,
      interleaved: true,
      partial: false,
      partialInterleaved: true,
    }))
      await expectFixtureCase(fixture, `rotaryEmbedding/${name}`, ([x, cosine, sine]) =>
        rotaryEmbedding(x, { cosine, sine, interleaved }),
      );
  });

  it("has the angles of PyTorch's float32 tables", async () => {
    const positions = Array.from({ length: 10 }, (_, index) => 111 * index);
    const { cosine, sine } = rotaryTables({ dim: 6, positions });
    // the power that makes a frequency may differ in its last bit, which 999 radians turn into 6e-5
    await expect(cosine).toBeCloseToTensor(fixture.host("rotaryTables/cosine"), { absoluteScale: 7e-5 });
    await expect(sine).toBeCloseToTensor(fixture.host("rotaryTables/sine"), { absoluteScale: 7e-5 });
    const counted = rotaryTables({ dim: 6, positions: 3 });
    expect(counted.cosine.shape).toEqual([3, 3]);
    for (const t of [cosine, sine, counted.cosine, counted.sine]) t.dispose();
  });

  it("leaks nothing, takes no positions, and refuses what does not fit", async () => {
    await expectNoLeak(() => {
      const tables = rotaryTables({ dim: 4, positions: 0 });
      const x = zeros([2, 3, 0, 4]);
      const y = rotaryEmbedding(x, tables);
      expect(y.shape).toEqual([2, 3, 0, 4]);
      for (const t of [tables.cosine, tables.sine, x, y]) t.dispose();
    });
    const x = zeros([2, 5, 4]);
    const { cosine, sine } = rotaryTables({ dim: 4, positions: 3 });
    const wide = rotaryTables({ dim: 6, positions: 5 });
    expect(() => rotaryEmbedding(x, { cosine, sine })).toThrow(
      /rotaryEmbedding: expected shapes that broadcast/,
    );
    expect(() => rotaryEmbedding(x, { cosine, sine: wide.sine })).toThrow(/cosine and sine of one shape/);
    expect(() => rotaryEmbedding(x, wide)).toThrow(/at most headDim \/ 2/);
    expect(() => rotaryTables({ dim: 5, positions: 3 })).toThrow(/even dim/);
    for (const t of [x, cosine, sine, wide.cosine, wide.sine]) t.dispose();
  });
});

const inputs = (x: number[], table: number[], contains: number[] = []) => ({
  x: randomHostTensor(x, { contains }),
  cosine: randomHostTensor(table, { stream: "cosine" }),
  sine: randomHostTensor(table, { stream: "sine" }),
});

describeKernel(rotaryEmbeddingKernel, {
  "no positions": { inputs: inputs([2, 0, 4], [0, 2]), attrs: { interleaved: false } },
  "no rotated channel": { inputs: inputs([2, 3, 4], [3, 0]), attrs: { interleaved: true } },
  "odd sizes, NaN, channels left over": {
    inputs: inputs([2, 3, 5, 67], [5, 33], [Number.NaN]),
    attrs: { interleaved: false },
  },
  "interleaved, a table for each batch": {
    inputs: inputs([2, 3, 5, 6], [2, 1, 5, 3]),
    attrs: { interleaved: true },
  },
});
