import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { memory, read, type Tensor, tensor, useDevice } from "@ai/tensor";
import { beforeAll, expect, it } from "vitest";
import { Linear } from "./index.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Collects garbage until `done`, which happens in a later turn of the event loop. */
async function collectUntil(done: () => boolean): Promise<void> {
  for (let turn = 0; turn < 50 && !done(); turn++) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

beforeAll(async () => {
  await useDevice("wasm");
});

it("frees the parameters of a module that nobody holds any more", async () => {
  const before = memory().numTensors;
  (() => {
    new Linear(100, 100).parameters();
  })();
  expect(memory().numTensors).toBe(before + 2);
  await collectUntil(() => memory().numTensors === before);
  expect(memory().numTensors).toBe(before);
});

it("keeps a parameter's tensor that the user still holds, and frees a replaced one once", async () => {
  const before = memory().numTensors;
  const held = ((): Tensor => {
    const layer = new Linear(1, 2);
    layer.weight.setValue(tensor([[3], [4]]));
    layer.weight.setValue(tensor([[5], [6]]));
    return layer.weight.value;
  })();
  await collectUntil(() => memory().numTensors === before + 1);
  expect(memory().numTensors).toBe(before + 1);
  expect([...(await read(held))]).toEqual([5, 6]);
  held.dispose();
});
