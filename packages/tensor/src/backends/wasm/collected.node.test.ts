import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { useDevice } from "../../device.js";
import { dispose } from "../../memory.js";
import { mul } from "../../ops/arithmetic.js";
import { read, tensor, zeros } from "../../tensor.js";
import { wasmBackend } from "../../testing/wasm-kernels.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

it("frees what nobody disposed, but for the smallest tensors made last, and nothing that is still held", async () => {
  await useDevice("wasm");
  const { runtime } = wasmBackend();
  const before = runtime.tensorBytes;
  const held = mul(tensor([1, 2, 3]), 2);
  (() => {
    for (let i = 0; i < 2000; i++) mul(held, i);
    const large = zeros([300, 300]);
    mul(large, 2);
  })();
  expect(runtime.tensorBytes).toBeGreaterThan(before + 2000 * 64);
  // the engine's net waits with tensors below 64 KiB until 256 others have followed
  const most = before + 300 * 64;
  for (let turn = 0; turn < 50 && runtime.tensorBytes > most; turn++) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(runtime.tensorBytes).toBeLessThanOrEqual(most);
  expect([...(await read(held))]).toEqual([2, 4, 6]);
  dispose(held);
});

it("has forgotten tensors collected before they fill the memory, without being asked", async () => {
  await useDevice("wasm");
  const { runtime } = wasmBackend();
  const before = runtime.tensorBytes;
  const held = zeros([1024, 1024]);
  let most = 0;
  // 600 MiB, forgotten one by one
  for (let i = 0; i < 150; i++) {
    mul(held, i);
    most = Math.max(most, runtime.tensorBytes - before);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  expect(most).toBeLessThan(400 * 2 ** 20);
  dispose(held);
});
