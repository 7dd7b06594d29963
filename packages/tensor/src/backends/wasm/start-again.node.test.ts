import { expect, it, vi } from "vitest";
import { useDevice } from "../../device.js";
import { KernelError } from "../../errors.js";
import { add } from "../../ops/arithmetic.js";
import { ones, read } from "../../tensor.js";
import { WorkerPool } from "./threads.js";

it("starts anew, without a word of tfjs's, after a start whose threads found no memory", async () => {
  const warn = vi.spyOn(console, "warn");
  const resize = vi.spyOn(WorkerPool.prototype, "resize").mockRejectedValueOnce(new KernelError("no memory"));
  await expect(useDevice("wasm")).rejects.toThrow("no memory");
  resize.mockRestore();
  await useDevice("wasm");
  expect(await read(add(ones([2]), 1))).toEqual(Float32Array.of(2, 2));
  expect(warn).not.toHaveBeenCalled();
});
