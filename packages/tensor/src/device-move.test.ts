import { describe, expect, it } from "vitest";
import {
  add,
  DeviceError,
  type DeviceName,
  describeDevice,
  dispose,
  memory,
  moveTo,
  mul,
  read,
  tensor,
  useDevice,
} from "./index.js";
import { TEST_DEVICES, whyAbsent } from "./testing/devices.js";

const options = { allowSoftwareAdapter: true };
const present: DeviceName[] = [];
for (const device of TEST_DEVICES) if ((await whyAbsent(device)) === undefined) present.push(device);

describe("moving between devices", () => {
  for (const from of present)
    for (const to of present)
      if (from !== to)
        it(`${from} to ${to} keeps values, shape and dtype, and the original`, async () => {
          await useDevice(to, options);
          await useDevice(from, options);
          const before = memory();
          const x = tensor([1.5, -2, 3]);
          const computed = mul(x, 2);
          const integers = tensor([[16777217, 2]], [1, 2], "int32");
          const truth = tensor([true, false]);
          const moved = [await moveTo(computed, to), await moveTo(integers, to), await moveTo(truth, to)];
          expect([...(await read(computed))]).toEqual([3, -4, 6]);
          await useDevice(to, options);
          const used = [add(moved[0], 1), add(moved[1], 1)];
          expect([...(await read(used[0]))]).toEqual([4, -3, 7]);
          expect([...(await read(used[1]))]).toEqual([16777218, 3]);
          expect([...(await read(moved[2]))]).toEqual([1, 0]);
          expect(moved[1].shape).toEqual([1, 2]);
          expect(moved.map(({ dtype }) => dtype)).toEqual(["float32", "int32", "bool"]);
          dispose([x, computed, integers, truth, ...moved, ...used]);
          expect(memory()).toMatchObject({ numTensors: before.numTensors, numBytes: before.numBytes });
        });

  it.skipIf(!present.includes("webgpu") || present.length < 2)(
    "an op refuses a tensor of a GPU that is not in use",
    async () => {
      await useDevice("webgpu", options);
      const x = tensor([1, 2]);
      const onGpu = add(x, 1);
      const other = present.find((device) => device !== "webgpu")!;
      await useDevice(other, options);
      expect(() => add(onGpu, 1)).toThrow(DeviceError);
      expect(() => add(onGpu, 1)).toThrow(/got a tensor of a GPU; await moveTo\(tensor\) first/);
      const here = await moveTo(onGpu);
      const sum = add(here, 1);
      expect([...(await read(sum))]).toEqual([3, 4]);
      dispose([x, onGpu, here, sum]);
    },
  );

  it("refuses a device that was never started", async () => {
    await useDevice(present[0], options);
    const x = tensor([1]);
    await expect(moveTo(x, "cuda")).rejects.toThrow(
      'moveTo: expected a device that was started, got cuda; call await useDevice("cuda") once',
    );
    expect(describeDevice().device).toBe(present[0]);
    x.dispose();
  });
});
