import type { DeviceDescription, DeviceName, DeviceOptions, HubOptions, ModelSource } from "@ai/tensor";
import type { OptionRules } from "./option-rules.js";
import type { TaskProgress, TaskProgressListener } from "./progress.js";
import type { TaskWorker, TaskWorkerSource } from "./worker-source.js";

/**
 * What a task takes and gives; a domain's task extends it and says of each what it is. What it leaves alone it has not:
 * no options, no explanation, no methods.
 */
export interface TaskTypes {
  /** What a user passes in: a picture, a text, a sound. Not an array, which means several inputs. */
  readonly input: unknown;
  /** An input made ready for the model, on the host: between the two the device is free for others. */
  readonly prepared: unknown;
  /** The answer to an input: plain JSON. */
  readonly result: unknown;
  /** Options of a call that this task has beside {@link TaskCallOptions}: plain data. */
  readonly options: object;
  /** Options of loading that this task has beside {@link TaskLoadOptions}: plain data. */
  readonly loadOptions: object;
  /** What is known once it is loaded (labels, sizes): plain JSON. */
  readonly info: unknown;
  /** What an explanation is asked about: a label, a box, a word. */
  readonly target: unknown;
  /** Options of an explanation: plain data. */
  readonly explainOptions: object;
  /** Plain data; numbers may be in typed arrays. */
  readonly explanation: unknown;
  /** What a stream gives: the result of each input unless the task says otherwise. */
  readonly streamed: unknown;
  /** More that the task does: by name, the one argument (plain data) and the result (plain data). */
  readonly methods: object;
}

/** One of {@link TaskTypes.methods}. */
export interface TaskMethod {
  readonly argument: unknown;
  readonly result: unknown;
}

/** What a stream of the task gives. */
export type StreamedOf<Types extends TaskTypes> = unknown extends Types["streamed"]
  ? Types["result"]
  : Types["streamed"];

/** Options of one piece of work. */
export interface TaskWorkOptions {
  /** Ends the work: the promise rejects with the signal's reason, the task stays usable. */
  readonly signal?: AbortSignal;
  /** Told after each batch, or step. */
  readonly onProgress?: TaskProgressListener;
}

/** Options of every call of every task. */
export interface TaskCallOptions extends TaskWorkOptions {
  /** How many inputs go through the model at once. More is faster until memory is short; the results are the same. */
  readonly batchSize?: number;
}

/** Options of loading every task. */
export interface TaskLoadOptions extends HubOptions {
  /** Where to compute; chosen as `useDevice` does when left out. */
  readonly device?: DeviceName;
  /** More about the device, as `useDevice` takes it. */
  readonly deviceOptions?: DeviceOptions;
  /** Ends loading: the promise rejects with the signal's reason and nothing stays behind. */
  readonly signal?: AbortSignal;
  /** Told what device was chosen, and how far downloads and weights are. */
  readonly onProgress?: TaskProgressListener;
  /**
   * The model lives and computes in a worker, and the page or program stays live. A function makes the worker: for a
   * bundler or a policy that needs another way to its file. Default false.
   */
  readonly worker?: boolean | (() => TaskWorker | Promise<TaskWorker>);
  /** Branch, tag or commit of a repository. Default `main`. */
  readonly revision?: string;
  /** Folder inside the model that is taken as its root. */
  readonly subfolder?: string;
}

/** A loaded task. */
export type Task<Types extends TaskTypes> = CallableTask<Types> &
  (unknown extends Types["explanation"] ? unknown : ExplainableTask<Types>) &
  MethodsOf<Types["methods"]>;

/** What every loaded task is: a function with a few properties. */
export interface CallableTask<Types extends TaskTypes> {
  /**
   * The answer to one input. Calls may overlap: they are worked off in turn.
   * @throws InputError for an input or option that makes no sense, the signal's reason, InputError after `dispose`.
   */
  (input: Types["input"], options?: TaskCallOptions & Types["options"]): Promise<Types["result"]>;
  /** The answers to several inputs, in their order. */
  (
    inputs: readonly Types["input"][],
    options?: TaskCallOptions & Types["options"],
  ): Promise<Types["result"][]>;
  /**
   * Answers to inputs that come one after another, in their order: each as soon as a batch is full (`batchSize` is 1
   * unless given) or the source has ended. Leaving the loop ends the source.
   */
  stream(
    inputs: AsyncIterable<Types["input"]> | Iterable<Types["input"]>,
    options?: TaskCallOptions & Types["options"],
  ): AsyncGenerator<StreamedOf<Types>, void, undefined>;
  /** What is known of the loaded model. */
  readonly info: Types["info"];
  /** The device that it computes on, and why. */
  readonly device: DeviceDescription;
  /**
   * Frees the model and ends the worker. Work on its way is rejected. Calling it twice does nothing.
   * @returns a promise that is fulfilled once all is freed.
   */
  dispose(): Promise<void>;
}

/** A task whose answers can be explained. */
export interface ExplainableTask<Types extends TaskTypes> {
  /**
   * Why an answer is what it is: which parts of the input speak for `target`.
   * @throws InputError for a target that there is not.
   */
  explain(
    input: Types["input"],
    target: Types["target"],
    options?: TaskWorkOptions & Types["explainOptions"],
  ): Promise<Types["explanation"]>;
}

/** The methods of a task, as functions of one argument (left out where it may be undefined) and options. */
export type MethodsOf<Methods> = {
  readonly [Name in keyof Methods]: Methods[Name] extends TaskMethod
    ? (
        ...given: undefined extends Methods[Name]["argument"]
          ? [argument?: Methods[Name]["argument"], options?: TaskWorkOptions]
          : [argument: Methods[Name]["argument"], options?: TaskWorkOptions]
      ) => Promise<Methods[Name]["result"]>
    : never;
};

/** Loads a task with a model. */
export type TaskLoader<Types extends TaskTypes> = (
  model: ModelSource,
  options?: TaskLoadOptions & Types["loadOptions"],
) => Promise<Task<Types>>;

/** What a piece of work is given. */
export interface WorkContext {
  /** The task's verb, for errors: `classify`. */
  readonly operation: string;
  /** Aborted by the user's signal or by `dispose`. */
  readonly signal: AbortSignal;
  /** Tells how far it is. @param message One sentence; `done` of `total` when left out. */
  progress(done: number, total?: number, message?: string): void;
  /**
   * Runs `work` when the task has nothing else to do, on its device. `run`, `explain` and methods are called so already;
   * a `stream` computes in it and waits for inputs outside of it.
   */
  inTurn<Result>(work: () => Result | Promise<Result>): Promise<Result>;
}

/** What loading is given. */
export interface LoadContext {
  /** The loader's name, for errors: `loadImageClassifier`. */
  readonly operation: string;
  readonly signal: AbortSignal;
  onProgress(progress: TaskProgress): void;
  /** Options of the hub and the cache, as `openModelFiles` takes them. */
  readonly hub: HubOptions & Pick<TaskLoadOptions, "revision" | "subfolder">;
  /** Runs `make` while the task's device is the one in use: for what makes tensors. It must not await. */
  onDevice<Made>(make: () => Made): Promise<Made>;
}

/** A model in the hands of a task: what the contract calls, one piece of work at a time. */
export interface TaskRunner<Types extends TaskTypes> {
  readonly info: Types["info"];
  /** Options of a call that this model has not, each with the reason: a user who gives one gets an error. */
  readonly unsupported?: Partial<Record<keyof Types["options"] & string, string>>;
  /**
   * Makes one input ready: reads, decodes, resizes. It may run while the batch before is computed, so it gives values
   * on the host, never tensors.
   * @throws InputError for an input that it cannot take.
   */
  prepare(
    input: Types["input"],
    options: Required<Types["options"]>,
    context: WorkContext,
  ): Types["prepared"] | Promise<Types["prepared"]>;
  /**
   * The results of a batch, in its order. It computes in synchronous scopes, awaits between them, and looks at
   * `context.signal` between steps; what it makes is freed when it ends, however it ends.
   */
  run(
    batch: readonly Types["prepared"][],
    options: Required<Types["options"]>,
    context: WorkContext,
  ): Promise<readonly Types["result"][]>;
  /** Where a stream is more than each input's result: pieces of a text as it is made, words while the sound goes on. */
  stream?(
    inputs: AsyncIterable<Types["input"]>,
    options: Required<Types["options"]>,
    context: WorkContext,
  ): AsyncIterable<StreamedOf<Types>>;
  /** Explains; a model that cannot, throws an InputError. */
  explain?(
    input: Types["input"],
    target: Types["target"],
    options: Required<Types["explainOptions"]>,
    context: WorkContext,
  ): Promise<Types["explanation"]>;
  /** The task's methods, by name. */
  readonly methods?: RunnerMethods<Types["methods"]>;
  /** Frees the model. */
  dispose(): void;
}

/** {@link TaskMethod}s as a runner has them. */
export type RunnerMethods<Methods> = {
  readonly [Name in keyof Methods]: Methods[Name] extends TaskMethod
    ? (
        argument: Methods[Name]["argument"],
        context: WorkContext,
      ) => Methods[Name]["result"] | Promise<Methods[Name]["result"]>
    : never;
};

/** A task as its domain defines it; {@link defineTask} makes the function that loads it. */
export interface TaskDefinition<Types extends TaskTypes> {
  /** The name that Hugging Face has for it: `image-classification`. */
  readonly task: string;
  /** What users call the loader: `loadImageClassifier`. */
  readonly loader: string;
  /** What users call the loaded task: `classify`. */
  readonly verb: string;
  /** The rule of each option of loading. */
  readonly loadOptions: OptionRules<Types["loadOptions"]>;
  /** The rule of each option of a call. */
  readonly options: OptionRules<Types["options"]>;
  /** The rule of each option of an explanation. */
  readonly explainOptions: OptionRules<Types["explainOptions"]>;
  /** Names of the methods. */
  readonly methods?: readonly (keyof Types["methods"] & string)[];
  /** Inputs at once when a user does not say. Default 8. */
  readonly batchSize?: number;
  /** Says at once what is no input at all, before anything is sent or decoded. @throws InputError */
  checkInput(operation: string, input: unknown): void;
  /** Turns an input that only its own thread can read (a canvas, a video) into one that can be sent to a worker. */
  toSendable?(input: Types["input"]): Types["input"] | Promise<Types["input"]>;
  /** Does for the arguments of methods what `toSendable` does for inputs. */
  readonly toSendableArgument?: {
    readonly [Name in keyof Types["methods"]]?: Types["methods"][Name] extends TaskMethod
      ? (
          argument: Types["methods"][Name]["argument"],
        ) => Types["methods"][Name]["argument"] | Promise<Types["methods"][Name]["argument"]>
      : never;
  };
  /** Where the domain's worker is. */
  readonly worker: TaskWorkerSource;
  /** Loads the model. What it made before it throws, it frees. */
  start(
    model: ModelSource,
    options: Required<Types["loadOptions"]>,
    context: LoadContext,
  ): Promise<TaskRunner<Types>>;
}
