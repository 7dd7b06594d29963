import { expect, it } from "vitest";
import { DeviceError } from "../../index.js";
import { describeEachDevice, TEST_DEVICES } from "../../testing/index.js";
import type { GpuBackend } from "./backend.js";
import { guardBackend } from "./errors.js";
import { armIndexFlag } from "./index-flag.js";

it("is for webgpu alone", () => expect(TEST_DEVICES.length).toBeGreaterThan(0));

describeEachDevice("a GPU that goes while a read waits", () => {
  it("rejects that read, and leaves no other rejection that nobody sees", async () => {
    const nothing = (): void => undefined;
    const device = {
      lost: Promise.resolve({ reason: "destroyed", message: "" }),
      addEventListener: nothing,
      createBuffer: () => ({ mapAsync: () => Promise.reject(new Error("gone")), destroy: nothing }),
    } as unknown as GPUDevice;
    const backend = {
      device,
      commandEncoder: { copyBufferToBuffer: nothing, clearBuffer: nothing },
      // the values' own buffer says so later than that of the index flag
      read: () => new Promise((_, reject) => setTimeout(() => reject(new Error("gone too")), 20)),
      bufferManager: { numBytesUsed: 0, numBytesAllocated: 0 },
      write: nothing,
      runWebGPUProgram: nothing,
      submitQueue: nothing,
      ensureCommandEncoderReady: nothing,
      endComputePassEncoder: nothing,
    } as unknown as GpuBackend;
    guardBackend(backend);
    armIndexFlag(device);
    // an unhandled rejection fails the run
    await expect(backend.read({})).rejects.toBeInstanceOf(DeviceError);
  });
}, ["webgpu"]);
