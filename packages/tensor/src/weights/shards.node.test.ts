import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readWeights, WeightsError } from "../index.js";

const fixture = (file: string): URL => new URL(`../../fixtures/weights/${file}`, import.meta.url);
const INDEX = "pytorch_model.bin.index.json";

let folder: string;
const index = (map: Record<string, unknown>): Promise<void> =>
  writeFile(join(folder, INDEX), JSON.stringify({ metadata: {}, weight_map: map }));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "shards-"));
  await copyFile(fixture("tiny.pt"), join(folder, "pytorch_model-00001-of-00002.bin"));
  await copyFile(fixture("complex.pt"), join(folder, "pytorch_model-00002-of-00002.bin"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("readWeights of an index", () => {
  it("reads shards of PyTorch beside it as one file", async () => {
    await index({
      float: "pytorch_model-00002-of-00002.bin",
      x: "pytorch_model-00001-of-00002.bin",
      complex64: "pytorch_model-00002-of-00002.bin",
    });
    const weights = await readWeights(join(folder, INDEX));
    expect([...weights.names].sort()).toEqual(["complex64", "float", "x"]);
    expect((await weights.host("x")).values).toEqual(Float32Array.of(1.5));
    expect((await weights.host("float")).values).toEqual(Float32Array.of(1));
    expect(weights.info("complex64").dtype).toBe("torch.complex64");
  });

  it("refuses a tensor that is not where the index says, one that it leaves out, and a way out", async () => {
    const open = () => readWeights(join(folder, INDEX));
    await index({ y: "pytorch_model-00001-of-00002.bin" });
    await expect(open()).rejects.toThrow(/got "y", which is not in the file/);
    await index({ float: "pytorch_model-00002-of-00002.bin" });
    await expect(open()).rejects.toThrow(/got "complex64", which is not in the index/);
    await index({ x: "../pytorch_model-00001-of-00002.bin" });
    await expect(open()).rejects.toThrow(/the file name "\.\.\/pytorch_model/);
    await index({ x: "absent.bin" });
    await expect(open()).rejects.toThrow(WeightsError);
  });
});
