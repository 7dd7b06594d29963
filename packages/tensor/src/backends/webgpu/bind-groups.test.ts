import { expect, it } from "vitest";
import { bindGroupOf } from "./bind-groups.js";

/** A device that only makes groups: how many are kept shows in which are made anew. */
const fakeDevice = (): GPUDevice => ({ createBindGroup: () => ({}) }) as unknown as GPUDevice;
const object = <T>(): T => ({}) as T;

it("keeps a group for its device, layout and buffers in their order, and of all kernels at most 4,096", () => {
  const device = fakeDevice();
  const layout = object<GPUBindGroupLayout>();
  const [x, y] = [object<GPUBuffer>(), object<GPUBuffer>()];
  const group = bindGroupOf(device, layout, [x, y], "");
  expect(bindGroupOf(device, layout, [x, y], "")).toBe(group);
  expect(bindGroupOf(device, layout, [y, x], "")).not.toBe(group);
  expect(bindGroupOf(device, object(), [x, y], "")).not.toBe(group);
  expect(bindGroupOf(fakeDevice(), layout, [x, y], "")).not.toBe(group);
  for (let other = 0; other < 4093; other++) bindGroupOf(device, object(), [x], "");
  expect(bindGroupOf(device, layout, [x, y], "")).toBe(group);
  const last = bindGroupOf(device, layout, [x], "");
  expect(bindGroupOf(device, layout, [x, y], "")).not.toBe(group); // the oldest went, no other
  expect(bindGroupOf(device, layout, [x], "")).toBe(last);
});
