import { InputError } from "@ai/tensor";
import { transferable } from "../training/data/worker-protocol.js";
import { openPort, type WorkerPort } from "../worker-port.js";
import { type LoadRequest, startLocal } from "./define-task.js";
import type { HostCall, HostWork, TaskHost } from "./host.js";
import type { TaskProgress } from "./progress.js";
import { suggestion } from "./spelling.js";
import type { TaskDefinition, TaskTypes } from "./types.js";
import {
  type LoadedInWorker,
  receivedTaskError,
  type SentStep,
  sentTaskError,
  type TaskAnswer,
  type TaskRequest,
} from "./worker-messages.js";

/** Tasks by Hugging Face's names, each loaded when a page asks for it. */
export type ServedTasks = Readonly<
  Record<string, () => Promise<() => Pick<TaskDefinition<TaskTypes>, "task" | "loader" | "verb">>>
>;

/**
 * Serves tasks to the page or thread that started this worker by loading one with `worker: true`.
 * @param tasks By name, functions that import their modules: the worker loads what it is asked for.
 * @throws InputError outside of a worker.
 * @example
 * // tasks.worker.ts, without a top-level await, which not all bundlers take in workers
 * void serveTasks({
 *   "image-classification": async () => (await import("./image-classification.js")).imageClassification,
 * });
 */
export async function serveTasks(tasks: ServedTasks): Promise<void> {
  const port = await openPort<TaskRequest, TaskAnswer>("serveTasks", "loadTask");
  const server = new TaskServer(tasks, port);
  port.listen((request) => server.serve(request));
  port.post({ kind: "started" });
}

interface OpenStream {
  readonly controller: AbortController;
  readonly outputs: AsyncGenerator<unknown, void, undefined>;
  /** Takes the next input; there is one while one is asked for. */
  give: ((step: SentStep) => void) | undefined;
}

class TaskServer {
  readonly #tasks: ServedTasks;
  readonly #port: WorkerPort<TaskRequest, TaskAnswer>;
  readonly #controllers = new Map<number, AbortController>();
  readonly #streams = new Map<number, OpenStream>();
  #host: TaskHost<TaskTypes> | undefined;

  constructor(tasks: ServedTasks, port: WorkerPort<TaskRequest, TaskAnswer>) {
    this.#tasks = tasks;
    this.#port = port;
  }

  serve(request: TaskRequest): void {
    switch (request.kind) {
      case "load":
        this.#answer(request.id, (work) => this.#load(request.task, request.request, work));
        return;
      case "call":
        this.#answer(request.id, (work) =>
          this.#loaded().call(request.inputs, request.call as HostCall<TaskTypes>, work),
        );
        return;
      case "explain":
        this.#answer(request.id, (work) =>
          this.#loaded().explain(request.asked, request.options as Required<object>, work),
        );
        return;
      case "method":
        this.#answer(request.id, (work) => this.#loaded().method(request.name, request.argument, work));
        return;
      case "open":
        this.#open(request.stream, request.call as HostCall<TaskTypes>);
        return;
      case "next":
        this.#answer(request.id, () => this.#next(request.stream));
        return;
      case "input": {
        const stream = this.#streams.get(request.stream);
        const give = stream?.give;
        if (stream !== undefined) stream.give = undefined;
        give?.(request.step);
        return;
      }
      case "close": {
        const stream = this.#streams.get(request.stream);
        this.#streams.delete(request.stream);
        stream?.controller.abort();
        stream?.give?.({ kind: "done" });
        stream?.outputs.return().catch(() => undefined);
        return;
      }
      case "abort":
        this.#controllers.get(request.id)?.abort();
        return;
      case "dispose":
        void this.#dispose();
    }
  }

  #loaded(): TaskHost<TaskTypes> {
    if (this.#host === undefined)
      throw new InputError("serveTasks: expected a loaded task, got none; load it first");
    return this.#host;
  }

  async #load(task: string, request: unknown, { signal, onProgress }: HostWork): Promise<LoadedInWorker> {
    const make = Object.hasOwn(this.#tasks, task) ? this.#tasks[task] : undefined;
    if (make === undefined)
      throw new InputError(
        `serveTasks: expected a task that this worker serves, got ${task}${suggestion(task, Object.keys(this.#tasks))}`,
      );
    const definition = (await make())();
    const host = await startLocal<TaskTypes>(
      definition as TaskDefinition<TaskTypes>,
      request as LoadRequest<TaskTypes>,
      {
        signal,
        onProgress: (progress) => onProgress?.(progress),
      },
    );
    this.#host = host;
    const { info, device, unsupported, hasStream } = host;
    return { info, device, unsupported, hasStream };
  }

  #answer(id: number, work: (work: HostWork) => Promise<unknown>): void {
    const controller = new AbortController();
    this.#controllers.set(id, controller);
    const onProgress = (progress: TaskProgress): void => this.#port.post({ kind: "progress", id, progress });
    const run = async (): Promise<void> => {
      try {
        const { item, buffers } = transferable(await work({ signal: controller.signal, onProgress }), () => {
          throw new InputError("serveTasks: expected an answer of plain data, got a tensor; read it first");
        });
        this.#port.post({ kind: "result", id, value: item }, buffers);
      } catch (error) {
        this.#port.post({ kind: "error", id, error: sentTaskError(error) });
      } finally {
        this.#controllers.delete(id);
      }
    };
    void run();
  }

  #open(id: number, call: HostCall<TaskTypes>): void {
    const controller = new AbortController();
    const inputs: AsyncIterator<unknown> = {
      next: async () => {
        const step = await new Promise<SentStep>((resolve) => {
          stream.give = resolve;
          this.#port.post({ kind: "pull", stream: id });
        });
        if (step.kind === "error") throw receivedTaskError(step.error);
        return step.kind === "done" ? { done: true, value: undefined } : { done: false, value: step.value };
      },
    };
    const work: HostWork = {
      signal: controller.signal,
      onProgress: (progress) => this.#port.post({ kind: "progress", id, progress }),
    };
    const stream: OpenStream = {
      controller,
      outputs: this.#loaded().stream(inputs, call, work),
      give: undefined,
    };
    this.#streams.set(id, stream);
  }

  async #next(id: number): Promise<SentStep> {
    const stream = this.#streams.get(id);
    if (stream === undefined) return { kind: "done" };
    const { done, value } = await stream.outputs.next();
    return done === true ? { kind: "done" } : { kind: "value", value };
  }

  async #dispose(): Promise<void> {
    for (const controller of this.#controllers.values()) controller.abort();
    await this.#host?.dispose();
    this.#port.post({ kind: "disposed" });
  }
}
