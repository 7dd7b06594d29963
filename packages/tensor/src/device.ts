import { type KernelBackend, setBackend, type Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "./arguments.js";
import { engine } from "./engine.js";
import { DeviceError } from "./errors.js";

/** Where tensors live and ops run. */
export type DeviceName = "cpu" | "wasm" | "webgpu" | "cuda";

/** Options of {@link useDevice}. */
export interface DeviceOptions {
  /** Accept a WebGPU adapter that is emulated on the CPU (SwiftShader). Default false: such an adapter is slower than `wasm`. */
  readonly allowSoftwareAdapter?: boolean;
  /** `"high-performance"` (default) or `"low-power"`: which GPU to prefer on machines with two. */
  readonly powerPreference?: "high-performance" | "low-power";
  /**
   * Let `wasm` use relaxed SIMD where the engine has it: products 1.2 to 1.4 times as fast, but the last bits then
   * differ from machine to machine. Default false.
   */
  readonly relaxedSimd?: boolean;
  /**
   * Threads that `wasm` computes on, 1 to 64. Default: the cores there are, at most 8; 1 on a page that is not
   * cross-origin isolated. The results are the same bits for any number.
   */
  readonly threads?: number;
}

/** What was chosen, and why. */
export interface DeviceDescription {
  readonly device: DeviceName;
  /** Name of the tfjs backend that does the work. */
  readonly backend: string;
  /** One sentence: why this device. */
  readonly reason: string;
  /** Human-readable hardware, for example the adapter's name. */
  readonly hardware: string;
  /** Threads that compute; 1 unless the CPU engine has workers. */
  readonly threads: number;
  /** Optional abilities in use: `shader-f16`, `subgroups`, `simd`, `relaxed-simd` … */
  readonly features: readonly string[];
}

/** What a backend module gives to {@link useDevice}. */
export interface StartedDevice {
  readonly backend: string;
  readonly hardware: string;
  readonly threads: number;
  readonly features: readonly string[];
}

const BACKENDS: Readonly<Record<string, DeviceName>> = {
  cpu: "cpu",
  "ai-wasm": "wasm",
  webgpu: "webgpu",
  tensorflow: "cuda",
};

const started = new Map<DeviceName, StartedDevice>();
let current: DeviceDescription | undefined;

/** The device that a tfjs backend belongs to; undefined for a backend that this library does not know. */
export function deviceOfBackend(backendName: string): DeviceName | undefined {
  return BACKENDS[backendName];
}

/** @throws DeviceError while no device was chosen. */
export function assertReady(operation: string): void {
  if (current === undefined)
    throw new DeviceError(`${operation}: expected a device, got none; call await useDevice() first`);
}

function isNode(): boolean {
  return typeof process !== "undefined" && process.versions?.node !== undefined;
}

/** Starts a device's backend once, loading its code on demand. */
async function start(device: DeviceName, options: DeviceOptions): Promise<StartedDevice> {
  switch (device) {
    case "cpu": {
      const { startCpu } = await import("./backends/cpu/start.js");
      return startCpu();
    }
    case "wasm": {
      const { startWasm } = await import("./backends/wasm/start.js");
      return startWasm(options);
    }
    case "webgpu": {
      const { startWebgpu } = await import("./backends/webgpu/start.js");
      return startWebgpu(options);
    }
    case "cuda": {
      const { startCuda } = await import("./backends/cuda/start.js");
      return startCuda();
    }
    default:
      throw new DeviceError(`useDevice: expected cpu, wasm, webgpu or cuda, got ${String(device)}`);
  }
}

async function activate(
  device: DeviceName,
  reason: string,
  options: DeviceOptions,
): Promise<DeviceDescription> {
  let backend = started.get(device);
  // webgpu is asked each time: options may now forbid its adapter, and a lost GPU starts anew; wasm checks its options
  if (
    device === "webgpu" ||
    device === "wasm" ||
    backend === undefined ||
    engine().registry[backend.backend] === undefined
  ) {
    backend = await start(device, options);
    started.set(device, backend);
  }
  if (!(await setBackend(backend.backend)))
    throw new DeviceError(
      `useDevice: expected ${device} to start, got a failure of backend ${backend.backend}; see the console`,
    );
  current = { device, reason, ...backend };
  return current;
}

/** Devices to try, best first. */
async function candidates(): Promise<DeviceName[]> {
  if (!isNode()) return ["webgpu", "wasm", "cpu"];
  const { isCudaInstalled } = await import("./backends/cuda/start.js");
  return isCudaInstalled() ? ["cuda", "webgpu", "wasm", "cpu"] : ["webgpu", "wasm", "cpu"];
}

/**
 * Chooses the device on which every later op runs, and starts it.
 *
 * Without a name: in a browser `webgpu`, then `wasm`, then `cpu`; in Node `cuda` (when the optional package
 * `@tensorflow/tfjs-node-gpu` is installed and uses a GPU), `webgpu` on a real GPU (when the optional package `webgpu`
 * is installed), then `wasm`, then `cpu`. A software GPU is taken only with `allowSoftwareAdapter`.
 * A WebGPU backend that is already live is adopted.
 * @returns what was chosen and why.
 * @throws DeviceError when the named device cannot start, or for an unknown name.
 * @example
 * await useDevice();
 * console.log(describeDevice().reason);
 */
export async function useDevice(
  device?: DeviceName,
  options: DeviceOptions = {},
): Promise<DeviceDescription> {
  assertOptions("useDevice", options, [
    "allowSoftwareAdapter?",
    "powerPreference",
    "relaxedSimd?",
    "threads",
  ]);
  if (device !== undefined) return activate(device, `${device} was asked for`, options);
  const failures: string[] = [];
  for (const candidate of await candidates()) {
    try {
      const where = isNode() ? "Node" : "this browser";
      const reason =
        failures.length === 0
          ? `${candidate} is the fastest device in ${where}`
          : `${candidate}, because ${failures.join("; ")}`;
      const isAlone = candidate === "wasm" && globalThis.crossOriginIsolated === false;
      const threads = isAlone ? "; on one thread, because the page is not cross-origin isolated" : "";
      return await activate(candidate, reason + threads, options);
    } catch (error) {
      failures.push(
        `${candidate} is not available (${error instanceof Error ? error.message : String(error)})`,
      );
    }
  }
  throw new DeviceError(`useDevice: expected a device that starts, got none: ${failures.join("; ")}`);
}

/**
 * Changes on how many threads the CPU engine (`wasm`) computes; results are the same bits for any number.
 * @param count 1 to 64. More threads than cores only cost time.
 * @returns the threads that compute now: 1 where memory cannot be shared (a page without cross-origin isolation) or
 * where workers are forbidden.
 * @throws DeviceError before `useDevice("wasm")`, or for a count out of range.
 * @example
 * await useDevice("wasm");
 * await setThreads(4);
 */
export async function setThreads(count: number): Promise<number> {
  const { resizeWasm } = await import("./backends/wasm/start.js");
  const threads = await resizeWasm(count);
  const device = started.get("wasm");
  if (device !== undefined) started.set("wasm", { ...device, threads });
  if (current?.device === "wasm") current = { ...current, threads };
  return threads;
}

/**
 * The device in use and why it was chosen.
 * @throws DeviceError before the first {@link useDevice}.
 */
export function describeDevice(): DeviceDescription {
  assertReady("describeDevice");
  return current!;
}

/**
 * Copies a tensor to a device that has been used before; the device in use when none is named.
 * The original stays where it is; the copy is the caller's.
 * @param tensor `[...]` any shape and dtype.
 * @throws DeviceError for a device that was never started.
 */
export async function moveTo<T extends Tensor>(tensor: T, device?: DeviceName): Promise<T> {
  assertReady("moveTo");
  const target = device ?? current!.device;
  const backendName =
    started.get(target)?.backend ?? (target === current!.device ? current!.backend : undefined);
  const backend: KernelBackend | undefined =
    backendName === undefined ? undefined : engine().registry[backendName];
  if (backend === undefined)
    throw new DeviceError(
      `moveTo: expected a device that was started, got ${target}; call await useDevice("${target}") once`,
    );
  const values = (await readValues(tensor)).slice();
  const dataId = backend.write(values, tensor.shape, tensor.dtype);
  const host = engine() as unknown as {
    makeTensorFromDataId(dataId: object, shape: number[], dtype: string, backend: KernelBackend): Tensor;
  };
  return host.makeTensorFromDataId(dataId, tensor.shape, tensor.dtype, backend) as T;
}

/** The values of a tensor on whatever device it is, perhaps the very array that the device keeps: not to be changed; a device's pending errors reject here. */
export async function readValues(tensor: Tensor): Promise<Float32Array | Int32Array | Uint8Array> {
  const info = engine().state.tensorInfo.get(tensor.dataId);
  if (info === undefined)
    throw new DeviceError("read: expected a live tensor, got a disposed one; read it before disposing");
  return (await info.backend.read(tensor.dataId)) as Float32Array | Int32Array | Uint8Array;
}
