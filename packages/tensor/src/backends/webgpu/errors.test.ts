import { afterAll, describe, expect, it, vi } from "vitest";
import { DeviceError } from "../../index.js";
import type { GpuBackend } from "./backend.js";
import { guardBackend } from "./errors.js";
import { armIndexFlag } from "./index-flag.js";

// everything that it calls is a stand-in: no device is needed
afterAll(() => void vi.unstubAllGlobals());

describe("a GPU that goes while a read waits", () => {
  it("rejects that read, and leaves no other rejection that nobody sees", async () => {
    // Node has these once a GPU was started
    vi.stubGlobal("GPUBufferUsage", { MAP_READ: 1, COPY_SRC: 4, COPY_DST: 8, STORAGE: 128 });
    vi.stubGlobal("GPUMapMode", { READ: 1 });
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
});
