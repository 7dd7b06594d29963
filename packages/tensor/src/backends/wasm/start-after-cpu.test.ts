import { getKernel } from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { useDevice } from "../../device.js";
import { bernoulli } from "../../random.js";

it("an op that ran on the host first gets the engine's kernel when the engine starts", async () => {
  const draw = (): void => bernoulli([4], { probability: 0.5 }).dispose();
  await useDevice("cpu");
  draw();
  const ofHost = getKernel("ai/Bernoulli", "cpu")?.kernelFunc;
  expect(ofHost).toBeDefined();
  await useDevice("wasm");
  draw();
  expect(getKernel("ai/Bernoulli", "ai-wasm")?.kernelFunc).not.toBe(ofHost);
});
