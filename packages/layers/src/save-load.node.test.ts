import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ones, readSafetensors, useDevice, WeightsError, zeros } from "@ai/tensor";
import "@ai/tensor/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import { BatchNorm1d, Linear, Sequential } from "./index.js";

let folder: string;
const build = (): Sequential => new Sequential(new Linear(3, 2), new BatchNorm1d(2));

beforeAll(async () => {
  await useDevice("cpu");
  folder = await mkdtemp(join(tmpdir(), "layers-"));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

it("saves a file that Hugging Face and PyTorch open, and loads it from file and folder", async () => {
  const [source, target] = [build().initialize({ seed: 1 }), build().initialize({ seed: 2 })];
  await source.save(join(folder, "model.safetensors"), { metadata: { note: "first" } });
  const file = await readSafetensors(folder);
  expect(file.metadata).toMatchObject({ format: "pt", note: "first" });
  expect(file.info("1.num_batches_tracked")).toEqual({ dtype: "I64", shape: [] });
  expect(await target.load(folder)).toEqual({ missing: [], unused: [] });
  expect(await target.stateDict()).toEqual(await source.stateDict());
  source.dispose();
  target.dispose();
});

it("stores half the bytes and loads float32 again, rounded to nearest", async () => {
  const [source, target] = [build().initialize({ seed: 1 }), build()];
  const path = join(folder, "half.safetensors");
  const before = await source.stateDict();
  for (const [dtype, digits] of [
    ["F16", 2 ** -11],
    ["BF16", 2 ** -8],
  ] as const) {
    await source.save(path, { dtype });
    expect((await readSafetensors(path)).info("0.weight").dtype).toBe(dtype);
    await target.load(path);
    const [a, b] = [before.get("0.weight")!, (await target.stateDict()).get("0.weight")!];
    a.values.forEach((value, index) => {
      expect(Math.abs(Number(b.values[index]) - Number(value))).toBeLessThanOrEqual(
        Math.abs(Number(value)) * digits,
      );
    });
  }
  const [weight] = source.parameters();
  weight.setValue(zeros(weight.shape, "float32", 7e4));
  await expect(source.save(path, { dtype: "F16" })).rejects.toThrow(/got 70000 in 0\.weight; take BF16/);
  source.dispose();
  target.dispose();
});

it("leaves the file alone when aborted and the module when the file is damaged", async () => {
  const model = build();
  const before = await model.stateDict();
  const names = await readdir(folder);
  await expect(
    model.save(join(folder, "other.safetensors"), { signal: AbortSignal.abort() }),
  ).rejects.toThrow(/abort/i);
  expect(await readdir(folder)).toEqual(names);
  const damaged = join(folder, "damaged.safetensors");
  await writeFile(damaged, "nonsense");
  await expect(model.load(damaged)).rejects.toThrow(WeightsError);
  await expect(model.load(join(folder, "absent.safetensors"))).rejects.toThrow(WeightsError);
  await expect(model.load(damaged, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
  expect(await model.stateDict()).toEqual(before);
  model.dispose();
});

it("moves to another device with its parameters and state", async () => {
  await useDevice("wasm");
  const model = build().eval();
  const x = ones([2, 3]);
  const before = model.call(x);
  expect(await model.moveTo("cpu")).toBe(model);
  await useDevice("cpu");
  const after = model.call(x);
  await expect(after).toBeCloseToTensor(before);
  for (const owner of [x, before, after, model]) owner.dispose();
});
