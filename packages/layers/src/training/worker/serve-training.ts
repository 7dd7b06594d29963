import { describeDevice, InputError } from "@ai/tensor";
import { Module } from "../../module.js";
import { allParameters, sizeOfParameters } from "../../module-fields.js";
import { sentTaskError } from "../../tasks/worker-messages.js";
import { openPort, type WorkerPort } from "../../worker-port.js";
import { defaultStorage } from "../browser-storage.js";
import type { TrainingCallback } from "../callbacks/callback.js";
import { type CheckpointsOptions, checkpoints } from "../callbacks/checkpoints.js";
import { listCheckpoints, loadLastCheckpoint, saveCheckpoint } from "../checkpoint.js";
import { transferable } from "../data/worker-protocol.js";
import { assertOptionNames } from "../option-names.js";
import type { TrainingStorage } from "../storage.js";
import { Trainer } from "../trainer.js";
import type { BatchSource, TrainableModel } from "../trainer-options.js";
import type {
  OpenRequest,
  SentFitOptions,
  TrainingAnswer,
  TrainingEvent,
  TrainingInfo,
  TrainingRequest,
} from "./messages.js";
import { RemoteControl } from "./remote-control.js";

/** What the function of {@link serveTraining} is given. */
export interface TrainingContext<Options> {
  /** What the page passed to `connectTraining`: plain data. */
  readonly options: Options;
  /** Sends plain data to the page, which hears it as a `message` event. */
  send(message: unknown): void;
  /** Aborted when the page closes the worker. */
  readonly signal: AbortSignal;
}

/** What a worker trains. */
export interface TrainingSetup<Batch, Model extends TrainableModel> {
  readonly trainer: Trainer<Batch, Model>;
  readonly loader: BatchSource<Batch>;
  readonly validation?: BatchSource<Batch>;
  /** Beside those that keep the page informed. */
  readonly callbacks?: readonly TrainingCallback[];
  /** Saves so; the worker then goes on from the last checkpoint when it is started again, and saves at the end and at a stop. */
  readonly checkpoints?: Omit<CheckpointsOptions, "storage">;
  /** Where checkpoints are. Default: the browser's storage, in Node the file system. */
  readonly storage?: TrainingStorage;
  /** What the page may ask of the model, while it trains too: functions of one argument and result, both plain data. */
  readonly methods?: Readonly<Record<string, (argument: never) => unknown>>;
  /** Plain data that the page gets once the worker is ready, such as the names of classes. */
  readonly info?: unknown;
  /** Called when the page closes the worker. */
  readonly dispose?: () => void;
}

type Port = WorkerPort<TrainingRequest, TrainingAnswer>;

/**
 * Trains in this worker for the page or thread that started it with `connectTraining`. Give the parameter of `make` the
 * type `TrainingContext<Options>`, and the rest is inferred.
 * @param make Makes model, data and trainer; what it throws is thrown by `connectTraining`.
 * @throws InputError outside of a worker.
 * @example
 * // train.worker.js
 * await serveTraining(async ({ options }) => {
 *   await useDevice();
 *   const trainer = new Trainer({ model, optimizer, loss: new CrossEntropyLoss() });
 *   return { trainer, loader, checkpoints: { folder: "runs/digits", everySteps: 50 }, methods: { classify } };
 * });
 */
export async function serveTraining<Options, Batch, Model extends TrainableModel>(
  make: (
    context: TrainingContext<Options>,
  ) => TrainingSetup<Batch, Model> | Promise<TrainingSetup<Batch, Model>>,
): Promise<void> {
  if (typeof make !== "function")
    throw new InputError(`serveTraining: expected a function that makes the training, got ${typeof make}`);
  const port = await openPort<TrainingRequest, TrainingAnswer>("serveTraining", "connectTraining");
  let server: TrainingServer<Batch, Model> | undefined;
  const closing = new AbortController();
  let isOpen = false;
  const open = async ({ options, resume }: OpenRequest): Promise<void> => {
    const send = (message: unknown): void => sendEvent(port, { kind: "message", message });
    const context: TrainingContext<Options> = { options: options as Options, send, signal: closing.signal };
    try {
      const setup = await make(context);
      server = new TrainingServer(port, setup);
      await server.open(resume);
    } catch (error) {
      port.post({ kind: "failed", error: sentTaskError(error) });
    }
  };
  port.listen((request) => {
    if (request.kind === "open") {
      // it is sent again when the page hears that this worker listens
      if (!isOpen) void open(request);
      isOpen = true;
    } else if (request.kind === "close") {
      closing.abort(new InputError("serveTraining: expected an open worker, got one that the page closed"));
      void Promise.resolve(server?.close()).finally(() => port.post({ kind: "closed" }));
    } else server?.serve(request);
  });
  port.post({ kind: "listening" });
}

function refuseTensor(): never {
  throw new InputError("serveTraining: expected plain data for the page, got a tensor; read it first");
}

function sendEvent(port: Port, event: TrainingEvent): void {
  const { item, buffers } = transferable(event, refuseTensor);
  port.post({ kind: "event", event: item as TrainingEvent }, buffers);
}

const SETUP = [
  "trainer",
  "loader",
  "validation",
  "callbacks",
  "checkpoints",
  "storage",
  "methods",
  "info",
  "dispose",
];

/** A run in progress. */
interface RunningFit {
  readonly id: number;
  readonly controller: AbortController;
  readonly control: RemoteControl;
  readonly done: Promise<unknown>;
}

class TrainingServer<Batch, Model extends TrainableModel> {
  readonly #port: Port;
  readonly #setup: TrainingSetup<Batch, Model>;
  #storage: TrainingStorage | undefined;
  #running: RunningFit | undefined;
  readonly #evaluations = new Map<number, AbortController>();

  /** @throws InputError for a setup that is none. */
  constructor(port: Port, setup: TrainingSetup<Batch, Model>) {
    this.#port = port;
    assertOptionNames("serveTraining", setup ?? null, SETUP);
    if (!(setup.trainer instanceof Trainer))
      throw new InputError(
        `serveTraining: expected { trainer, loader }, got ${typeof setup.trainer} as trainer`,
      );
    this.#setup = setup;
  }

  /** Loads the last checkpoint, or removes the old ones, and tells the page what there is. */
  async open(resume: boolean): Promise<void> {
    const { trainer, checkpoints: saved, info } = this.#setup;
    if (saved !== undefined) {
      this.#storage = this.#watched(this.#setup.storage ?? (await defaultStorage()));
      const storage = this.#storage;
      if (resume) {
        const state = await loadLastCheckpoint(saved.folder, { storage });
        if (state !== undefined) trainer.loadState(state);
      } else
        for (const { path } of await listCheckpoints(saved.folder, { storage })) await storage.remove(path);
    }
    const { step, epoch, history, model } = trainer;
    const { epochs, losses, learningRates } = history;
    const ready: TrainingInfo = {
      device: describeDevice(),
      step,
      epoch,
      parameters: sizeOfParameters(model instanceof Module ? allParameters(model) : model.parameters())
        .parameters,
      own: transferable(info, refuseTensor).item,
    };
    const arrays = [Float64Array.from(losses), Float64Array.from(learningRates)] as const;
    const sent = { epochs: [...epochs], losses: arrays[0], learningRates: arrays[1] };
    this.#port.post({ kind: "ready", info: ready, history: sent });
  }

  serve(request: Exclude<TrainingRequest, { kind: "open" | "close" }>): void {
    const { trainer, validation } = this.#setup;
    switch (request.kind) {
      case "fit":
        this.#answer(request.id, () => this.#fit(request.id, request.options));
        return;
      case "evaluate":
        this.#answer(request.id, async () => {
          if (validation === undefined)
            throw new InputError("RemoteTraining.evaluate: expected validation data in the worker, got none");
          this.#assertIdle("evaluate");
          const controller = new AbortController();
          this.#evaluations.set(request.id, controller);
          try {
            return await trainer.evaluate(validation, { signal: controller.signal });
          } finally {
            this.#evaluations.delete(request.id);
          }
        });
        return;
      case "save":
        this.#answer(request.id, () => this.#betweenSteps(() => this.#save()));
        return;
      case "weights":
        this.#answer(request.id, () => this.#betweenSteps(() => trainer.model.stateDict()));
        return;
      case "call":
        this.#answer(request.id, () => this.#call(request.name, request.argument));
        return;
      case "abort":
        if (this.#running?.id === request.id) this.#running.controller.abort();
        this.#evaluations.get(request.id)?.abort();
        return;
      case "pause":
        this.#running?.control.pause();
        return;
      case "resume":
        this.#running?.control.resume();
        return;
      case "stop":
        this.#running?.control.stop(request.reason);
    }
  }

  async close(): Promise<void> {
    this.#running?.controller.abort();
    await this.#running?.done.catch(() => undefined);
    this.#setup.dispose?.();
  }

  #answer(id: number, work: () => unknown): void {
    const run = async (): Promise<void> => {
      try {
        const { item, buffers } = transferable(await work(), refuseTensor);
        this.#port.post({ kind: "result", id, value: item }, buffers);
      } catch (error) {
        this.#port.post({ kind: "error", id, error: sentTaskError(error) });
      }
    };
    void run();
  }

  #assertIdle(verb: string): void {
    if (this.#running !== undefined)
      throw new InputError(
        `RemoteTraining.${verb}: expected no run in progress, got one; await or stop it first`,
      );
  }

  #betweenSteps<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#running === undefined ? work() : this.#running.control.betweenSteps(work);
  }

  async #fit(id: number, options: SentFitOptions): Promise<unknown> {
    this.#assertIdle("fit");
    const { trainer, loader, validation, callbacks = [], checkpoints: saved } = this.#setup;
    const storage = this.#storage;
    const controller = new AbortController();
    const control = new RemoteControl(
      (event) => sendEvent(this.#port, event),
      controller.signal,
      async () => {
        if (saved !== undefined) await this.#save();
      },
    );
    const saving = saved === undefined || storage === undefined ? [] : [checkpoints({ ...saved, storage })];
    const done = trainer.fit(loader, {
      ...options,
      ...(validation === undefined ? {} : { validation }),
      signal: controller.signal,
      callbacks: [...callbacks, ...saving, control],
    });
    this.#running = { id, controller, control, done };
    try {
      const { outcome, reason } = await done;
      const { step, epoch } = trainer;
      return { outcome, ...(reason === undefined ? {} : { reason }), step, epoch };
    } finally {
      this.#running = undefined;
      await control.end(); // an estimate that fails ends the run before its callbacks hear of it
    }
  }

  /** Writes a checkpoint unless the newest is of this very moment. @returns its path. */
  async #save(): Promise<string> {
    const { trainer, checkpoints: saved } = this.#setup;
    const storage = this.#storage;
    if (saved === undefined || storage === undefined)
      throw new InputError(
        "RemoteTraining.save: expected checkpoints in the worker's setup, got none; give a folder",
      );
    const newest = (await listCheckpoints(saved.folder, { storage })).at(-1);
    if (newest?.step === trainer.step && newest.epoch === trainer.epoch) return newest.path;
    return (await saveCheckpoint(saved.folder, await trainer.state(), { storage })).path;
  }

  async #call(name: string, argument: unknown): Promise<unknown> {
    const { methods = {} } = this.#setup;
    if (!Object.hasOwn(methods, name))
      throw new InputError(
        `RemoteTraining.call: expected one of ${Object.keys(methods).join(", ") || "no methods"}, got ${name}; name it in the worker's methods`,
      );
    return methods[name](argument as never);
  }

  /** Tells the page of each checkpoint. */
  #watched(storage: TrainingStorage): TrainingStorage {
    return {
      ...storage,
      writeFolder: async (path, files) => {
        await storage.writeFolder(path, files);
        sendEvent(this.#port, { kind: "checkpoint", path, step: this.#setup.trainer.step });
      },
    };
  }
}
