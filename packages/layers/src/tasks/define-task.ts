import { type DeviceDescription, type HubOptions, InputError, type ModelSource } from "@ai/tensor";
import { chooseDevice, onDevice } from "./device-lane.js";
import type { TaskHost } from "./host.js";
import { LocalHost } from "./local-host.js";
import { parseOptions } from "./option-rules.js";
import type { TaskProgress } from "./progress.js";
import { assertWorkOptions, taskOf } from "./task-of.js";
import type { LoadContext, Task, TaskDefinition, TaskLoadOptions, TaskTypes } from "./types.js";

/** A task that {@link loadTask} loads and a worker serves. */
export type DefinedTask<Types extends TaskTypes> = () => TaskDefinition<Types>;

const HUB_OPTIONS = [
  "endpoint",
  "token",
  "offline",
  "cacheFolder",
  "cache",
  "revision",
  "subfolder",
] as const satisfies readonly (keyof TaskLoadOptions)[];
const LOAD_OPTIONS = [
  "device",
  "deviceOptions",
  "signal",
  "onProgress",
  "worker",
  ...HUB_OPTIONS,
] as const satisfies readonly (keyof TaskLoadOptions)[];

/**
 * Defines a task: what it takes, how its model is loaded, made ready, run and explained. The domain's own
 * `load…` function passes it to {@link loadTask}.
 * @param make Gives the definition; called when it is first needed, so that a page which does not use the task need not
 * load it. Write `/* @__PURE__ *\/` before the call.
 * @typeParam Types An interface that extends {@link TaskTypes}.
 */
export function defineTask<Types extends TaskTypes>(make: () => TaskDefinition<Types>): DefinedTask<Types> {
  let made: TaskDefinition<Types> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** Loading in one thread: what is complete and can be sent to a worker. */
export interface LoadRequest<Types extends TaskTypes> {
  readonly model: ModelSource;
  readonly own: Required<Types["loadOptions"]>;
  readonly hub: HubOptions & Pick<TaskLoadOptions, "revision" | "subfolder">;
  readonly device: TaskLoadOptions["device"];
  readonly deviceOptions: TaskLoadOptions["deviceOptions"];
}

/** What watches over loading. */
export interface LoadWatch {
  readonly signal: AbortSignal | undefined;
  onProgress(progress: TaskProgress): void;
}

/** Loads a task in this thread. @internal */
export async function startLocal<Types extends TaskTypes>(
  definition: TaskDefinition<Types>,
  { model, own, hub, device, deviceOptions }: LoadRequest<Types>,
  { signal = new AbortController().signal, onProgress }: LoadWatch,
): Promise<LocalHost<Types>> {
  const chosen: DeviceDescription = await chooseDevice(device, deviceOptions);
  signal.throwIfAborted();
  onProgress({
    phase: "device",
    message: `${chosen.device} (${chosen.hardware}): ${chosen.reason}`,
    done: 1,
    total: 1,
  });
  const context: LoadContext = {
    operation: definition.loader,
    signal,
    onProgress,
    hub,
    onDevice: (make) => onDevice(chosen.device, deviceOptions, make),
  };
  const runner = await definition.start(model, own, context);
  try {
    signal.throwIfAborted();
  } catch (error) {
    runner.dispose();
    throw error;
  }
  return new LocalHost(definition, runner, { device: chosen, deviceOptions });
}

/**
 * Loads a task with a model; the domain's `load…` functions call it.
 * @param task What {@link defineTask} gave.
 * @param model A repository id, a URL, a folder, files, or the name of a model that the domain has.
 * @returns the loaded task, to be called with inputs and disposed at the end.
 * @throws InputError for options that make no sense and for a model that there is not, WeightsError and DownloadError
 * for one that cannot be read, DeviceError for a device that does not start, the signal's reason.
 */
export async function loadTask<Types extends TaskTypes>(
  task: DefinedTask<Types>,
  model: ModelSource,
  options: TaskLoadOptions & Types["loadOptions"] = {},
): Promise<Task<Types>> {
  const definition = task();
  const own = parseOptions<Types["loadOptions"]>(definition.loader, options, {
    rules: definition.loadOptions,
    common: LOAD_OPTIONS,
  });
  assertWorkOptions(definition.loader, options);
  const { device, deviceOptions, signal, onProgress, worker = false } = options;
  if (typeof worker !== "boolean" && typeof worker !== "function")
    throw new InputError(
      `${definition.loader}: expected worker as true, false or a function that makes one, got ${typeof worker}`,
    );
  signal?.throwIfAborted();
  const hub = Object.fromEntries(
    HUB_OPTIONS.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]),
  );
  const request: LoadRequest<Types> = { model, own, hub, device, deviceOptions };
  const watch: LoadWatch = { signal, onProgress: (progress) => onProgress?.(progress) };
  let host: TaskHost<Types>;
  if (worker === false) host = await startLocal(definition, request, watch);
  else {
    const { startInWorker } = await import("./worker-host.js");
    host = await startInWorker(definition, request, { ...watch, worker });
  }
  return taskOf(definition, host);
}
