import type { DeviceDescription, DeviceName, DeviceOptions } from "@ai/tensor";
import { byId, make } from "./page.js";

/** A place to compute that a user can choose. */
export interface DeviceChoice {
  readonly id: string;
  readonly label: string;
  /** Left out: the library chooses. */
  readonly device?: DeviceName;
  readonly deviceOptions?: DeviceOptions;
}

const AUTOMATIC: DeviceChoice = { id: "auto", label: "what is fastest" };

/** Whether WebGPU runs on a GPU, on a CPU that plays one, or not at all. */
async function probeWebgpu(): Promise<"real" | "software" | "none"> {
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  if (adapter === null || adapter === undefined) return "none";
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
  const name = `${vendor} ${architecture} ${device} ${description}`.toLowerCase();
  return isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|basic render/.test(name) ? "software" : "real";
}

/** Threads that the CPU engine takes by itself. */
const usualThreads = (): number =>
  globalThis.crossOriginIsolated ? Math.min(8, navigator.hardwareConcurrency) : 1;

/** What this browser can compute on, the library's own choice first. */
async function findDevices(): Promise<DeviceChoice[]> {
  const webgpu = await probeWebgpu();
  const threads = usualThreads();
  const choices: DeviceChoice[] = [AUTOMATIC];
  if (webgpu === "real") choices.push({ id: "webgpu", label: "WebGPU", device: "webgpu" });
  if (threads > 1) choices.push({ id: "wasm", label: `WebAssembly, ${threads} threads`, device: "wasm" });
  choices.push({
    id: "wasm-1",
    label: "WebAssembly, one thread",
    device: "wasm",
    deviceOptions: { threads: 1 },
  });
  if (webgpu === "software")
    choices.push({
      id: "webgpu-software",
      label: "WebGPU, emulated (slow)",
      device: "webgpu",
      deviceOptions: { allowSoftwareAdapter: true },
    });
  return choices;
}

/** The choice of a device, which all models follow. */
export class DeviceSwitch {
  readonly choices: readonly DeviceChoice[];
  readonly #select = byId<HTMLSelectElement>("device");
  readonly #listeners: (() => void)[] = [];

  private constructor(choices: readonly DeviceChoice[]) {
    this.choices = choices;
    this.#select.replaceChildren(
      ...choices.map(({ id, label }) => {
        const option = make("option", "", label);
        option.value = id;
        return option;
      }),
    );
    const before = localStorage.getItem("device");
    if (choices.some(({ id }) => id === before)) this.#select.value = before!;
    this.#select.onchange = () => {
      localStorage.setItem("device", this.current.id);
      for (const listener of this.#listeners) listener();
    };
  }

  static async find(): Promise<DeviceSwitch> {
    return new DeviceSwitch(await findDevices());
  }

  get current(): DeviceChoice {
    return this.choices.find(({ id }) => id === this.#select.value) ?? AUTOMATIC;
  }

  /** Those worth comparing: an emulated GPU is known to be slow, and takes long to show it. */
  get compared(): readonly DeviceChoice[] {
    return this.choices.filter(
      ({ device, deviceOptions }) => device !== undefined && deviceOptions?.allowSoftwareAdapter !== true,
    );
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }
}

/** `WebGPU` or `WebAssembly, 4 threads`. */
export function deviceText({ device, threads, hardware }: DeviceDescription): string {
  if (device === "webgpu") return hardware.includes("(software)") ? "WebGPU, emulated" : "WebGPU";
  if (device === "wasm") return `WebAssembly, ${threads === 1 ? "one thread" : `${threads} threads`}`;
  return device === "cpu" ? "JavaScript" : device;
}
