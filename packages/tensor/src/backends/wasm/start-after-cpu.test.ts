import { getKernel } from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { useDevice } from "../../device.js";
import { bernoulli } from "../../random.js";

it("an op that ran on the host first gets the engine's kernel when the engine starts, all of whose threads whoever starts it beside another finds", async () => {
  const draw = (): void => bernoulli([4], { probability: 0.5 }).dispose();
  await useDevice("cpu");
  draw();
  const ofHost = getKernel("ai/Bernoulli", "cpu")?.kernelFunc;
  expect(ofHost).toBeDefined();
  const [first, second] = await Promise.all([useDevice("wasm"), useDevice("wasm")]);
  expect(second.threads).toBe(first.threads);
  draw();
  expect(getKernel("ai/Bernoulli", "ai-wasm")?.kernelFunc).not.toBe(ofHost);
});
