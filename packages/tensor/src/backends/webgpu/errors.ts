import { type AiError, DeviceError, KernelError } from "../../errors.js";
import { type GpuBackend, submit } from "./backend.js";
import { discardIndexFlag, requestIndexFlag } from "./index-flag.js";
import { keepPoolSmall } from "./pool.js";
import { upload } from "./upload.js";

/** What went wrong on one GPU device so far and was not told to anybody yet. */
interface GpuHealth {
  readonly pending: AiError[];
  readonly scopes: Set<Promise<void>>;
  lost?: DeviceError;
}

const healths = new WeakMap<GPUDevice, GpuHealth>();
const guarded = new Set<WeakRef<GpuBackend>>();
let debugging = false;

/**
 * With debugging on, each dispatch of ours is submitted alone inside an error scope, so that a GPU error names its op
 * exactly; slow, for tests and for hunting a failure.
 */
export function debugGpuErrors(enabled: boolean): void {
  debugging = enabled;
}

/** Whether {@link debugGpuErrors} is on. */
export function isDebuggingGpuErrors(): boolean {
  return debugging;
}

/** How long a failed read waits to learn that the device is lost. */
const LOSS_MILLISECONDS = 2_000;

/** The sentence that a device's loss becomes. */
function lossError(info: GPUDeviceLostInfo): DeviceError {
  const why = info.reason === "destroyed" ? "it was destroyed" : info.message || "no reason given";
  return new DeviceError(
    `webgpu: expected a live GPU device, got one that was lost (${why}); call await useDevice("webgpu") for a new one and load the tensors again`,
  );
}

function gpuError(error: GPUError, operation: string | undefined): AiError {
  const label = operation ?? /(?:ai\/[\w/]+)/.exec(error.message)?.[0].slice(3) ?? "webgpu";
  if (error.constructor.name === "GPUOutOfMemoryError")
    return new DeviceError(
      `${label}: expected enough GPU memory, got "${error.message}"; use smaller batches or dispose tensors`,
    );
  return new KernelError(`${label}: expected a valid GPU command, got "${error.message}"`);
}

/** The lost error of a device, if it is lost. */
export function lossOf(device: GPUDevice): DeviceError | undefined {
  return healths.get(device)?.lost;
}

/** @throws DeviceError when the device is lost. */
export function assertAlive(device: GPUDevice): void {
  const lost = lossOf(device);
  if (lost !== undefined) throw lost;
}

/** Runs `encode` so that validation errors in it are reported under the name of `operation` at the next read. */
export function withErrorScope<T>(device: GPUDevice, operation: string, encode: () => T): T {
  const health = healths.get(device);
  if (health === undefined) return encode();
  device.pushErrorScope("validation");
  try {
    return encode();
  } finally {
    const scope = device
      .popErrorScope()
      .then(
        (error) => {
          if (error !== null) health.pending.push(gpuError(error, operation));
        },
        () => undefined, // the device is lost, which is told elsewhere
      )
      .finally(() => health.scopes.delete(scope));
    health.scopes.add(scope);
  }
}

/** Resolves when every error of the commands before it has been recorded: GPU errors arrive in order. */
async function errorsArrived(device: GPUDevice, health: GpuHealth): Promise<void> {
  if (health.lost !== undefined) return;
  device.pushErrorScope("validation");
  await Promise.all([device.popErrorScope().catch(() => null), ...health.scopes]);
}

/** GPU's words for an error that only follows from another one. */
const CONSEQUENCE = "due to a previous error";

/** Throws the oldest error that nobody was told of, a cause before its consequences, naming how many followed it. */
function throwPending(health: GpuHealth): void {
  const pending = health.pending.splice(0);
  const isCause = ({ message }: AiError): boolean => !message.includes(CONSEQUENCE);
  const [first, ...rest] = [...pending.filter(isCause), ...pending.filter((error) => !isCause(error))];
  if (first === undefined) return;
  if (rest.length === 0) throw first;
  const text = `${first.message} (and ${rest.length} more GPU errors)`;
  throw first instanceof DeviceError ? new DeviceError(text) : new KernelError(text);
}

/** A `lost` promise may settle after the read that it broke: on a busy machine some time after. */
async function lossSoon(device: GPUDevice): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const patience = new Promise((resolve) => {
    timer = setTimeout(resolve, LOSS_MILLISECONDS);
  });
  await Promise.race([device.lost, patience]);
  clearTimeout(timer);
}

/** Our words for a read that WebGPU broke off while neither the device nor a command was the reason. */
function readError(error: unknown): unknown {
  if ((error as { name?: unknown } | null)?.name !== "AbortError") return error;
  return new DeviceError(
    `read: expected values from the GPU, got "${String(error)}"; the tensor's buffer may be gone`,
  );
}

/**
 * Makes a WebGPU backend tell its errors: they are listened to, and the next awaited read rejects with them.
 * Every op on a lost device throws. Guarding twice does nothing.
 */
export function guardBackend(backend: GpuBackend): void {
  const { device } = backend;
  if (healths.has(device)) return;
  const health: GpuHealth = { pending: [], scopes: new Set() };
  healths.set(device, health);
  guarded.add(new WeakRef(backend));
  device.addEventListener("uncapturederror", (event) => {
    event.preventDefault(); // it is told at the next read, not on the console
    health.pending.push(gpuError(event.error, undefined));
  });
  void device.lost.then((info) => {
    health.lost = lossError(info);
  });

  const read = backend.read.bind(backend);
  const write = backend.write.bind(backend);
  const run = backend.runWebGPUProgram.bind(backend);
  const submitQueue = backend.submitQueue.bind(backend);
  Object.assign(backend, {
    read: async (dataId: object) => {
      assertAlive(device);
      const flag = requestIndexFlag(backend);
      flag.catch(() => undefined); // it may fail before it is looked at below
      try {
        const values = await read(dataId);
        await errorsArrived(device, health);
        const raised = await flag;
        if (raised !== undefined) health.pending.unshift(raised);
        if (health.lost !== undefined) throw health.lost;
        throwPending(health);
        return values;
      } catch (error) {
        await flag.catch(() => undefined);
        if (health.pending.length > 0) throwPending(health);
        if (error instanceof DeviceError || error instanceof KernelError) throw health.lost ?? error;
        await lossSoon(device);
        throw health.lost ?? readError(error);
      }
    },
    write: (...args: Parameters<typeof write>) => {
      assertAlive(device);
      return write(...args);
    },
    uploadToGPU: (dataId: object) => {
      assertAlive(device);
      upload(backend, dataId);
    },
    runWebGPUProgram: (...args: unknown[]) => {
      assertAlive(device);
      return run(...args);
    },
    submitQueue: () => {
      submitQueue();
      keepPoolSmall(backend);
    },
  });
}

/** GPU errors that no read has told since the last call; each is told once. */
export async function takeUncapturedErrors(): Promise<string[]> {
  const messages: string[] = [];
  for (const reference of guarded) {
    const backend = reference.deref();
    if (backend === undefined) {
      guarded.delete(reference);
      continue;
    }
    const health = healths.get(backend.device)!;
    if (health.lost === undefined) {
      const flag = requestIndexFlag(backend);
      submit(backend);
      const raised = await flag.catch(() => undefined);
      await errorsArrived(backend.device, health);
      if (raised !== undefined) health.pending.push(raised);
    } else discardIndexFlag(backend.device);
    messages.push(...health.pending.splice(0).map(({ message }) => message));
  }
  return messages;
}
