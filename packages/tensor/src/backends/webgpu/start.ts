import { env, findBackend, registerBackend, removeBackend } from "@tensorflow/tfjs-core";
import type { DeviceOptions, StartedDevice } from "../../device.js";
import { engine } from "../../engine.js";
import { DeviceError } from "../../errors.js";
import { type GpuBackend, gpuBackend } from "./backend.js";
import { guardBackend, lossOf } from "./errors.js";

/** Optional abilities that we ask for where the adapter has them. */
const WANTED_FEATURES = ["shader-f16", "subgroups", "timestamp-query", "bgra8unorm-storage"];

/** Limits raised to the adapter's own: tfjs's workgroups and our kernels need more than WebGPU's defaults. */
const RAISED_LIMITS = [
  "maxStorageBuffersPerShaderStage",
  "maxStorageBufferBindingSize",
  "maxBufferSize",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupSizeZ",
  "maxComputeWorkgroupsPerDimension",
] as const;

/** tfjs's preference for webgpu over its other backends. */
const BACKEND_PRIORITY = 3;
/** tfjs's default product for small matrices takes ten times as long on a CPU that plays GPU (64 threads are its limit). */
const SOFTWARE_MATMUL_PROGRAM = 3;

/** Devices that we made, so that they are destroyed before the process ends. */
const owned = new Set<GPUDevice>();
let exitHandled = false;
let starting: Promise<unknown> = Promise.resolve();

function isNode(): boolean {
  return typeof process !== "undefined" && process.versions?.node !== undefined;
}

/** What `navigator.gpu` gives, in Node from the optional package `webgpu` (Dawn). */
async function gpuEntry(): Promise<GPU> {
  const present = globalThis.navigator?.gpu as GPU | undefined;
  if (present !== undefined) return present;
  if (!isNode())
    throw new DeviceError(
      "useDevice: expected a browser with WebGPU, got none; use a recent Chromium, Firefox or Safari over https or localhost",
    );
  const packageName = "webgpu"; // a variable, so that bundlers leave it to Node
  let dawn: { create(options: string[]): GPU; globals: object };
  try {
    dawn = await import(/* @vite-ignore */ /* webpackIgnore: true */ packageName);
  } catch (error) {
    const isMissing = (error as { code?: unknown } | null)?.code === "ERR_MODULE_NOT_FOUND";
    const why = isMissing ? "none" : `"${error instanceof Error ? error.message : String(error)}"`;
    throw new DeviceError(
      `useDevice: expected the optional package "webgpu" for WebGPU in Node, got ${why}; npm install webgpu@0.6.2`,
    );
  }
  for (const [name, value] of Object.entries(Object.getOwnPropertyDescriptors(dawn.globals)))
    Object.defineProperty(globalThis, name, { ...value, configurable: true });
  const gpu = dawn.create([]);
  if (globalThis.navigator === undefined)
    Object.defineProperty(globalThis, "navigator", {
      value: { userAgent: "node" },
      configurable: true,
      writable: true,
    });
  Object.defineProperty(globalThis.navigator, "gpu", { value: gpu, configurable: true, writable: true });
  return gpu;
}

/** Whether an adapter is a CPU that plays GPU. */
function isSoftware(info: GPUAdapterInfo): boolean {
  const text = `${info.vendor} ${info.architecture} ${info.device} ${info.description}`.toLowerCase();
  return info.isFallbackAdapter === true || /swiftshader|llvmpipe|lavapipe|basic render/.test(text);
}

function hardwareName(info: GPUAdapterInfo | undefined): string {
  if (info === undefined) return "unknown GPU";
  const name = [info.vendor, info.architecture, info.device, info.description]
    .filter((part) => part !== "")
    .join(" ");
  return `${name || "unnamed GPU"}${isSoftware(info) ? " (software)" : ""}`;
}

function assertAllowed(
  info: GPUAdapterInfo | undefined,
  { allowSoftwareAdapter = false }: DeviceOptions,
): void {
  if (info !== undefined && isSoftware(info) && !allowSoftwareAdapter)
    throw new DeviceError(
      `useDevice: expected a real GPU, got the software adapter ${hardwareName(info)}, which is slower than wasm; install the GPU's driver or pass { allowSoftwareAdapter: true }`,
    );
}

function describe(backend: GpuBackend): StartedDevice {
  const { device } = backend;
  return {
    backend: "webgpu",
    hardware: hardwareName(device.adapterInfo),
    threads: 1,
    features: WANTED_FEATURES.filter((feature) => device.features.has(feature)),
  };
}

async function requestDevice(
  gpu: GPU,
  options: DeviceOptions,
): Promise<{ device: GPUDevice; info: GPUAdapterInfo }> {
  const adapter = await gpu.requestAdapter({
    powerPreference: options.powerPreference ?? "high-performance",
  });
  if (adapter === null)
    throw new DeviceError(
      `useDevice: expected a WebGPU adapter, got none; ${isNode() ? "install a Vulkan, Metal or Direct3D 12 driver" : "switch hardware acceleration on"}`,
    );
  assertAllowed(adapter.info, options);
  const requiredLimits: Record<string, number> = {};
  for (const limit of RAISED_LIMITS) requiredLimits[limit] = adapter.limits[limit];
  const requiredFeatures = WANTED_FEATURES.filter((feature) =>
    adapter.features.has(feature),
  ) as GPUFeatureName[];
  try {
    return {
      device: await adapter.requestDevice({ label: "ai", requiredFeatures, requiredLimits }),
      info: adapter.info,
    };
  } catch (error) {
    throw new DeviceError(
      `useDevice: expected ${hardwareName(adapter.info)} to give a device, got "${String(error)}"`,
    );
  }
}

/** `process.exit` with GPU work under way crashes Dawn: every device of ours is destroyed first. */
function destroyAtExit(device: GPUDevice): void {
  owned.add(device);
  void device.lost.then(() => owned.delete(device));
  if (exitHandled || !isNode()) return;
  exitHandled = true;
  process.on("exit", () => {
    for (const live of owned) live.destroy();
  });
}

/** Settings that are about our own device only; a user's backend keeps the user's. */
function configure(backend: GpuBackend, info: GPUAdapterInfo): void {
  backend.shouldExecuteOnCPU = () => false; // the same arithmetic for every size
  const readSync = backend.readSync.bind(backend);
  backend.readSync = (dataId: object) => {
    if (backend.tensorMap.get(dataId).values === null || backend.tensorMap.get(dataId).values === undefined)
      throw new DeviceError(
        "readSync: expected values that are on the host, got a tensor of the GPU; await read(tensor) or tensor.data()",
      );
    return readSync(dataId);
  };
  const chosen = isNode() ? process.env.WEBGPU_MATMUL_PROGRAM_TYPE : undefined;
  if (chosen !== undefined) env().set("WEBGPU_MATMUL_PROGRAM_TYPE", Number(chosen));
  else if (isSoftware(info)) env().set("WEBGPU_MATMUL_PROGRAM_TYPE", SOFTWARE_MATMUL_PROGRAM);
}

/** The backend that is live under tfjs's name `webgpu`, once one that is being started has come up. */
async function liveBackend(): Promise<GpuBackend | undefined> {
  const { pendingBackendInit } = engine() as unknown as { pendingBackendInit?: Promise<unknown> | null };
  await pendingBackendInit?.catch(() => undefined);
  const live = engine().registry.webgpu;
  return live === undefined ? undefined : gpuBackend(live);
}

async function startOrAdopt(options: DeviceOptions): Promise<StartedDevice> {
  const live = await liveBackend();
  if (live !== undefined && lossOf(live.device) === undefined) {
    assertAllowed(live.device.adapterInfo, options);
    guardBackend(live);
    return describe(live);
  }
  const gpu = await gpuEntry();
  const { device, info } = await requestDevice(gpu, options);
  const { WebGPUBackend } = await import("@tensorflow/tfjs-backend-webgpu");
  // tfjs registers a start-up of its own that checks nothing and asks for no f16; a lost backend goes the same way
  removeBackend("webgpu");
  const backend = gpuBackend(new WebGPUBackend(device as never, info as never));
  guardBackend(backend);
  configure(backend, info);
  destroyAtExit(device);
  registerBackend("webgpu", () => backend, BACKEND_PRIORITY);
  findBackend("webgpu"); // live from now on, so that a call that waited finds it
  return describe(backend);
}

/**
 * Starts WebGPU on a device of our own, or adopts the WebGPU backend that the user's tfjs code has live.
 * Calls at the same time share one start.
 * @throws DeviceError when there is no WebGPU, no adapter, only a software adapter that was not asked for,
 * or (Node) the package `webgpu` is missing.
 */
export function startWebgpu(options: DeviceOptions): Promise<StartedDevice> {
  const next = starting.then(
    () => startOrAdopt(options),
    () => startOrAdopt(options),
  );
  starting = next;
  return next;
}
