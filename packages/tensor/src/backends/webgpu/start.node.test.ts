import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { engine } from "../../engine.js";
import { add, DeviceError, describeDevice, read, tensor, useDevice } from "../../index.js";
import { TEST_DEVICES, whyAbsent } from "../../testing/devices.js";
import { runInNode } from "../../testing/run-in-node.js";

const present = TEST_DEVICES.includes("webgpu") && (await whyAbsent("webgpu")) === undefined;
const software = present && describeDevice().hardware.includes("software");

describe.skipIf(!present)("starting webgpu in Node", () => {
  it("says what it runs on", async () => {
    const description = await useDevice("webgpu", { allowSoftwareAdapter: true });
    expect(description).toMatchObject({
      device: "webgpu",
      backend: "webgpu",
      reason: "webgpu was asked for",
      threads: 1,
    });
    expect(description.hardware.length).toBeGreaterThan(3);
    expect(description.features).toContain("timestamp-query");
    expect(structuredClone(description)).toEqual(description);
    const { device } = engine().registry.webgpu as unknown as { device: GPUDevice };
    expect(device.limits.maxStorageBuffersPerShaderStage).toBeGreaterThanOrEqual(8);
    expect(device.limits.maxComputeInvocationsPerWorkgroup).toBeGreaterThanOrEqual(256);
  });

  it.skipIf(!software)("refuses a software adapter that was not asked for, also once it runs", async () => {
    await expect(useDevice("webgpu")).rejects.toThrow(
      /expected a real GPU, got the software adapter .*allowSoftwareAdapter: true/,
    );
    await expect(useDevice("webgpu")).rejects.toBeInstanceOf(DeviceError);
    await useDevice("webgpu", { allowSoftwareAdapter: true });
  });

  it("computes small tensors on the GPU too, and never reads one in step", async () => {
    const x = tensor([1, 2]);
    const y = add(x, 1);
    expect(() => y.dataSync()).toThrow(
      "readSync: expected values that are on the host, got a tensor of the GPU",
    );
    expect([...(await read(y))]).toEqual([2, 3]);
    expect([...y.dataSync()]).toEqual([2, 3]); // a read left the values on the host
    x.dispose();
    y.dispose();
  });

  it("shares one start between calls at the same time", async () => {
    const { stdout, stderr } = await runInNode(`
      import { useDevice } from "@ai/tensor";
      import { engine } from "@tensorflow/tfjs-core";
      const options = { allowSoftwareAdapter: true };
      const { create, globals } = await import("webgpu");
      Object.assign(globalThis, globals);
      const gpu = create([]);
      let requests = 0;
      const requestAdapter = gpu.requestAdapter.bind(gpu);
      const counting = { requestAdapter: (...args) => { requests++; return requestAdapter(...args); } };
      Object.defineProperty(globalThis, "navigator", { value: { userAgent: "test", gpu: counting }, configurable: true, writable: true });
      const [a, b] = await Promise.all([useDevice("webgpu", options), useDevice("webgpu", options)]);
      console.log(JSON.stringify({ requests, same: JSON.stringify(a) === JSON.stringify(b), live: Object.keys(engine().registry) }));
    `);
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toEqual({ requests: 1, same: true, live: ["webgpu"] });
  });

  it("adopts the user's live backend and its settings, and never replaces it", async () => {
    const { stdout, stderr } = await runInNode(`
      import * as tf from "@tensorflow/tfjs-core";
      import { create, globals } from "webgpu";
      Object.assign(globalThis, globals);
      Object.defineProperty(globalThis, "navigator", { value: { userAgent: "test", gpu: create([]) }, configurable: true, writable: true });
      await import("@tensorflow/tfjs-backend-webgpu");
      await tf.setBackend("webgpu");
      const theirs = tf.backend();
      const x = tf.tensor1d([1, 2, 3]);
      const { useDevice, add, read } = await import("@ai/tensor");
      const description = await useDevice("webgpu", { allowSoftwareAdapter: true });
      console.log(JSON.stringify({
        same: tf.backend() === theirs,
        values: [...await read(add(x, 1))],
        forward: tf.env().getBool("WEBGPU_CPU_FORWARD"),
        matmul: tf.env().getNumber("WEBGPU_MATMUL_PROGRAM_TYPE"),
        device: description.device,
      }));
    `);
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toEqual({
      same: true,
      values: [2, 3, 4],
      forward: true,
      matmul: -1,
      device: "webgpu",
    });
  });

  it("waits for a backend that the user is starting", async () => {
    const { stdout } = await runInNode(`
      import * as tf from "@tensorflow/tfjs-core";
      import { create, globals } from "webgpu";
      import { useDevice } from "@ai/tensor";
      Object.assign(globalThis, globals);
      Object.defineProperty(globalThis, "navigator", { value: { userAgent: "test", gpu: create([]) }, configurable: true, writable: true });
      await import("@tensorflow/tfjs-backend-webgpu");
      const theirs = tf.setBackend("webgpu");
      await useDevice("webgpu", { allowSoftwareAdapter: true });
      console.log(await theirs, tf.backend().device.label === "");
    `);
    expect(stdout.trim()).toBe("true true");
  });

  it("ends with the exit code asked for, GPU work under way or not", async () => {
    const program = (end: string): string => `
      import { matMul, ones, useDevice, read } from "@ai/tensor";
      await useDevice("webgpu", { allowSoftwareAdapter: true });
      const x = ones([64, 64]);
      const y = matMul(matMul(x, x), x);
      ${end}
    `;
    const [abrupt, natural, thrown] = await Promise.all([
      runInNode(program("process.exit(3);")),
      runInNode(program("console.log((await read(y))[0]);")),
      runInNode(program("throw new RangeError('mine');")),
    ]);
    expect(abrupt).toMatchObject({ code: 3, signal: null, stderr: "" });
    expect(natural).toMatchObject({ code: 0, signal: null, stdout: "4096\n", stderr: "" });
    expect(thrown).toMatchObject({ code: 1, signal: null });
    expect(thrown.stderr).toContain("RangeError: mine");
  });
});

describe("starting webgpu in Node without its package", () => {
  const folder = mkdtempSync(join(tmpdir(), "ai-webgpu-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  it("names the package to install", async () => {
    // a package of that name that cannot be loaded stands for one that is not there
    const place = join(folder, "node_modules/webgpu");
    mkdirSync(place, { recursive: true });
    writeFileSync(
      join(place, "package.json"),
      JSON.stringify({ name: "webgpu", type: "module", main: "missing.js" }),
    );
    const navigator = Object.getOwnPropertyDescriptor(globalThis, "navigator");
    Object.defineProperty(globalThis, "navigator", {
      value: { userAgent: "test" },
      configurable: true,
      writable: true,
    });
    vi.doMock("webgpu", () => {
      throw new Error("Cannot find package 'webgpu'");
    });
    vi.resetModules();
    try {
      const { startWebgpu } = await import("./start.js");
      const { engine: host } = await import("../../engine.js");
      const { registry } = host();
      const live = registry.webgpu;
      delete registry.webgpu;
      try {
        await expect(startWebgpu({})).rejects.toThrow(
          /expected the optional package "webgpu" for WebGPU in Node.*npm install webgpu@0\.6\.2/,
        );
      } finally {
        if (live !== undefined) registry.webgpu = live;
      }
    } finally {
      vi.doUnmock("webgpu");
      if (navigator !== undefined) Object.defineProperty(globalThis, "navigator", navigator);
    }
  });
});
