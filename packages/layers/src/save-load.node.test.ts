import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ones, readSafetensors, useDevice, WeightsError } from "@ai/tensor";
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
