import { getKernel } from "@tensorflow/tfjs-core";
import { expect, it, vi } from "vitest";
import { useDevice } from "../../device.js";
import { KernelError } from "../../errors.js";
import { add } from "../../ops/arithmetic.js";
import { bernoulli } from "../../random.js";
import { ones, read } from "../../tensor.js";
import { WorkerPool } from "./threads.js";

it("an op that ran on the host first gets the engine's kernel when the engine starts at the second try, all of whose threads whoever starts it beside another finds", async () => {
  const draw = (): void => bernoulli([4], { probability: 0.5 }).dispose();
  await useDevice("cpu");
  draw();
  const ofHost = getKernel("ai/Bernoulli", "cpu")?.kernelFunc;
  expect(ofHost).toBeDefined();
  const resize = vi.spyOn(WorkerPool.prototype, "resize").mockRejectedValueOnce(new KernelError("no memory"));
  await expect(useDevice("wasm")).rejects.toThrow("no memory");
  resize.mockRestore();
  const [first, second] = await Promise.all([useDevice("wasm"), useDevice("wasm")]);
  expect(second.threads).toBe(first.threads);
  draw();
  expect(getKernel("ai/Bernoulli", "ai-wasm")?.kernelFunc).not.toBe(ofHost);
  expect(await read(add(ones([2]), 1))).toEqual(Float32Array.of(2, 2));
});
