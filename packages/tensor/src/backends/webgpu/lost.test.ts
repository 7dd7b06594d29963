import { expect, it } from "vitest";
import { engine } from "../../engine.js";
import {
  add,
  DeviceError,
  describeDevice,
  memory,
  moveTo,
  read,
  tensor,
  useDevice,
  zeros,
} from "../../index.js";
import { describeEachDevice, TEST_DEVICES } from "../../testing/index.js";

it("is for webgpu alone", () => expect(TEST_DEVICES.length).toBeGreaterThan(0));

describeEachDevice("a lost GPU", () => {
  const options = { allowSoftwareAdapter: true };

  it("makes every later op a DeviceError, and starts anew when asked", async () => {
    const before = memory().numTensors;
    const x = tensor([1, 2]);
    const y = add(x, 1);
    const dead = engine().registry.webgpu as unknown as { device: GPUDevice };
    const reading = read(y);
    dead.device.destroy();
    await expect(reading).rejects.toBeInstanceOf(DeviceError);
    await expect(read(y)).rejects.toThrow(
      /expected a live GPU device, got one that was lost \(it was destroyed\)/,
    );
    expect(() => add(x, y)).toThrow(DeviceError);
    expect(() => zeros([2])).toThrow(DeviceError);
    await expect(moveTo(y, "webgpu")).rejects.toBeInstanceOf(DeviceError);
    x.dispose();
    y.dispose();
    expect(memory().numTensors).toBe(before);

    await useDevice("webgpu", options);
    expect(engine().registry.webgpu).not.toBe(dead);
    expect(describeDevice().device).toBe("webgpu");
    const fresh = tensor([5, 6]);
    const sum = add(fresh, 1);
    expect([...(await read(sum))]).toEqual([6, 7]);
    fresh.dispose();
    sum.dispose();
  });
}, ["webgpu"]);
