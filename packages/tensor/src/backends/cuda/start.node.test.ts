import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import {
  copyRegisteredKernels,
  getKernel,
  registerBackend,
  registerKernel,
  removeBackend,
  unregisterKernel,
  version_core,
} from "@tensorflow/tfjs-core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { describeDevice, useDevice } from "../../device.js";
import { engine } from "../../engine.js";

const home = process.cwd();
let folder: string;

/** Puts a package named like tfjs-node-gpu where the user's project would have it. */
function install(version: string, code: string): void {
  const place = join(folder, "node_modules/@tensorflow/tfjs-node-gpu");
  mkdirSync(place, { recursive: true });
  writeFileSync(
    join(place, "package.json"),
    JSON.stringify({ name: "@tensorflow/tfjs-node-gpu", version, main: "index.js" }),
  );
  writeFileSync(join(place, "index.js"), code);
}

/** What the stand-in for tfjs-node registers: the plain CPU backend under TensorFlow's name. */
function registerStandIn(isUsingGpuDevice: boolean): void {
  registerBackend("tensorflow", () =>
    Object.assign(new MathBackendCPU(), { isUsingGpuDevice, binding: { TF_Version: "2.9.1" } }),
  );
  if (getKernel("BatchMatMul", "tensorflow") == null) copyRegisteredKernels("cpu", "tensorflow");
}

describe('useDevice("cuda")', () => {
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "ai-cuda-"));
    writeFileSync(join(folder, "package.json"), "{}");
    process.chdir(folder);
    (globalThis as Record<string, unknown>).registerStandIn = registerStandIn;
    await useDevice("cpu");
  });

  afterEach(() => {
    process.chdir(home);
    rmSync(folder, { recursive: true });
    if (engine().registry.tensorflow !== undefined) removeBackend("tensorflow");
  });

  it("names the package when it is missing", async () => {
    await expect(useDevice("cuda")).rejects.toThrow(
      `useDevice: expected the optional package @tensorflow/tfjs-node-gpu for cuda, got none; npm install @tensorflow/tfjs-node-gpu@${version_core}`,
    );
  });

  it("refuses another version than tfjs-core's", async () => {
    install("3.18.0", "throw new Error('must not be loaded')");
    await expect(useDevice("cuda")).rejects.toThrow(
      `expected @tensorflow/tfjs-node-gpu ${version_core}, the version of tfjs-core, got 3.18.0`,
    );
  });

  it("says that the addon was not built", async () => {
    install(
      version_core,
      "throw new Error('The Node.js native addon module (tfjs_binding.node) can not be found at path: x')",
    );
    await expect(useDevice("cuda")).rejects.toThrow(
      /with its native addon.*npm rebuild @tensorflow\/tfjs-node-gpu/,
    );
  });

  it("says that CUDA is missing", async () => {
    install(
      version_core,
      "throw new Error('libcudart.so.11.0: cannot open shared object file: No such file or directory')",
    );
    await expect(useDevice("cuda")).rejects.toThrow(/CUDA libraries.*install CUDA 11\.2 and cuDNN 8\.1/);
  });

  it("passes other failures on", async () => {
    install(version_core, "throw new Error('something else')");
    await expect(useDevice("cuda")).rejects.toThrow(/to load, got "something else"/);
  });

  it("falls back from a TensorFlow without a GPU, and says so", async () => {
    install(version_core, "globalThis.registerStandIn(false)");
    const { device, reason } = await useDevice();
    expect(device).not.toBe("cuda");
    expect(reason).toContain(
      "cuda is not available (useDevice: expected TensorFlow to use a GPU, got the CPU",
    );
    await useDevice("cpu");
  });

  it("refuses TensorFlow on the CPU, and leaves the device alone", async () => {
    install(version_core, "globalThis.registerStandIn(false)");
    await expect(useDevice("cuda")).rejects.toThrow("expected TensorFlow to use a GPU, got the CPU");
    expect(engine().backendName).toBe("cpu");
    expect(describeDevice().device).toBe("cpu");
  });

  it("refuses a backend that computes wrongly", async () => {
    install(version_core, "globalThis.registerStandIn(true)");
    registerStandIn(true);
    const right = getKernel("BatchMatMul", "tensorflow");
    unregisterKernel("BatchMatMul", "tensorflow");
    registerKernel({
      ...right,
      kernelFunc: (call) => getKernel("Add", "cpu").kernelFunc({ ...call, attrs: {} }),
    });
    await expect(useDevice("cuda")).rejects.toThrow(
      "expected cuda to multiply [[1, 2], [3, 4]] by itself, got 2, 4, 6, 8",
    );
    unregisterKernel("BatchMatMul", "tensorflow");
    registerKernel(right);
  });

  it("starts when a GPU is in use and the probe is right", async () => {
    install(version_core, "globalThis.registerStandIn(true)");
    const util = process.getBuiltinModule("node:util") as unknown as Record<
      string,
      (value: unknown) => boolean
    >;
    expect(await useDevice("cuda")).toEqual({
      device: "cuda",
      backend: "tensorflow",
      reason: "cuda was asked for",
      hardware: "CUDA GPU, TensorFlow 2.9.1",
      threads: 1,
      features: [],
    });
    expect(util.isNullOrUndefined(undefined)).toBe(true);
    expect((await useDevice()).reason).toBe("cuda is the fastest device in Node");
    await useDevice("cpu");
  });
});
