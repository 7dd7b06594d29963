import { InputError } from "@ai/tensor";
import type { StateDict } from "../../state-dict.js";
import type { FitEnd } from "../callbacks/callback.js";
import { TrainingHistory } from "../history.js";
import { assertOptionNames } from "../option-names.js";
import type { SentHistory, TrainingEvent, TrainingInfo } from "./messages.js";
import type { TrainingChannel } from "./training-channel.js";

/** Methods of a training worker: of one argument and a result, both plain data. */
export type TrainingMethods = { readonly [name: string]: (argument: never) => unknown };

/** Options of {@link RemoteTraining.fit}. */
export interface RemoteFitOptions {
  /** Epochs to reach in all, those before a resume included. */
  readonly epochs: number;
  /** End after so many optimizer steps in all, even within an epoch. */
  readonly maxSteps?: number;
  /** Time a few steps first; the `start` event has the result. Default false. */
  readonly estimate?: boolean;
  /** Ends the run after the step in progress, or at once while it waits for its data. */
  readonly signal?: AbortSignal;
}

/** How a run in a worker ended. */
export interface RemoteFitResult extends FitEnd {
  /** Optimizer steps and finished epochs in all. */
  readonly step: number;
  readonly epoch: number;
}

/**
 * A training that lives in a worker, as the page sees it; made by {@link connectTraining}.
 * @typeParam Methods What the worker's methods take and give, by name.
 */
export class RemoteTraining<Methods extends TrainingMethods = TrainingMethods> {
  /** What was known when the worker became ready. */
  readonly info: TrainingInfo;
  /** Values of all steps and epochs, those before a resume included. */
  readonly history = new TrainingHistory();
  readonly #channel: TrainingChannel;
  readonly #onEvent: (event: TrainingEvent) => void;
  #state: "idle" | "training" | "paused" = "idle";
  #step: number;
  #epoch: number;
  #failure: { readonly error: unknown } | undefined;
  #run: AbortController | undefined;

  /** @internal */
  constructor(
    channel: TrainingChannel,
    info: TrainingInfo,
    { epochs, losses, learningRates }: SentHistory,
    onEvent: (event: TrainingEvent) => void,
  ) {
    this.#channel = channel;
    this.#onEvent = onEvent;
    this.info = info;
    this.#step = info.step;
    this.#epoch = info.epoch;
    this.history.restore(epochs, losses, learningRates);
    channel.listen((event) => this.#hear(event));
  }

  /** Whether a run is in progress, and whether it waits. */
  get state(): "idle" | "training" | "paused" {
    return this.#state;
  }

  /** Optimizer steps whose values have arrived. */
  get step(): number {
    return this.#step;
  }

  /** Finished epochs. */
  get epoch(): number {
    return this.#epoch;
  }

  /**
   * Trains until `epochs` epochs are done in all. A run that was stopped, aborted or failed goes on where it was when
   * `fit` is called again, and after a reload from the last checkpoint.
   * @returns how it ended.
   * @throws what the trainer throws, of the same kind and with the layer's name; the reason of `signal` once aborted;
   * InputError for options out of range or during a run; DeviceError when the worker has ended.
   */
  async fit(options: RemoteFitOptions): Promise<RemoteFitResult> {
    assertOptionNames("RemoteTraining.fit", options, ["epochs", "maxSteps", "estimate?", "signal"]);
    if (this.#state !== "idle")
      throw new InputError("RemoteTraining.fit: expected one run at a time, got a second; await the first");
    const { signal, ...sent } = options;
    this.#run = new AbortController();
    this.#state = "training";
    const signals = signal === undefined ? this.#run.signal : AbortSignal.any([signal, this.#run.signal]);
    try {
      const result = (await this.#channel.ask({ kind: "fit", options: sent }, signals)) as RemoteFitResult;
      this.#step = result.step;
      this.#epoch = result.epoch;
      return result;
    } catch (error) {
      throw this.#failure === undefined ? error : this.#failure.error;
    } finally {
      this.#state = "idle";
      this.#run = undefined;
      this.#failure = undefined;
    }
  }

  /** Holds the run after the step in progress; methods can be called meanwhile. Nothing when none is in progress. */
  pause(): void {
    this.#channel.post({ kind: "pause" });
  }

  /** Lets a paused run go on. */
  resume(): void {
    this.#channel.post({ kind: "resume" });
  }

  /** Ends the run after the step in progress, with a checkpoint where the worker keeps them; `fit` then gives `reason`. */
  stop(reason = "stopped by the page"): void {
    if (typeof reason !== "string")
      throw new InputError(`RemoteTraining.stop: expected a reason in words, got ${typeof reason}`);
    this.#channel.post({ kind: "stop", reason });
  }

  /**
   * Loss and metrics over the worker's validation data.
   * @throws InputError during a run or without such data; the reason of `signal` once aborted.
   */
  async evaluate(options: { readonly signal?: AbortSignal } = {}): Promise<Record<string, number>> {
    assertOptionNames("RemoteTraining.evaluate", options, ["signal"]);
    return (await this.#channel.ask({ kind: "evaluate" }, options.signal)) as Record<string, number>;
  }

  /**
   * Calls a method of the worker, during a run between two steps.
   * @param argument Plain data. @returns what the method gives: plain data.
   * @throws what the method throws, of the same kind; InputError for a name that the worker has not.
   */
  async call<Name extends keyof Methods & string>(
    name: Name,
    argument: Parameters<Methods[Name]>[0],
  ): Promise<Awaited<ReturnType<Methods[Name]>>> {
    const result = await this.#channel.ask({ kind: "call", name, argument });
    return result as Awaited<ReturnType<Methods[Name]>>;
  }

  /**
   * Saves a checkpoint, during a run between two steps.
   * @returns its path in the worker's storage.
   * @throws InputError when the worker keeps no checkpoints.
   */
  async save(): Promise<string> {
    return (await this.#channel.ask({ kind: "save" })) as string;
  }

  /** The weights now, as `stateDict()` gives them: for `loadStateDict` of the same model here, or for a file. */
  async weights(): Promise<StateDict> {
    return (await this.#channel.ask({ kind: "weights" })) as StateDict;
  }

  /** Ends the run and the worker. Work on its way is rejected. Calling it twice does nothing. */
  async close(): Promise<void> {
    await this.#channel.close(
      new InputError("RemoteTraining: expected an open worker, got a closed one; connect to a new one"),
    );
  }

  #hear(event: TrainingEvent): void {
    if (event.kind === "steps")
      for (const { step, loss, learningRate } of event.steps) {
        this.history.losses[step - 1] = loss;
        this.history.learningRates[step - 1] = learningRate;
        this.#step = step;
      }
    if (event.kind === "epoch") {
      this.history.epochs[event.record.epoch - 1] = event.record;
      this.#epoch = event.record.epoch;
    }
    if (event.kind === "paused") this.#state = "paused";
    if (event.kind === "resumed") this.#state = "training";
    try {
      this.#onEvent(event);
    } catch (error) {
      if (this.#run === undefined) throw error;
      this.#failure ??= { error };
      this.#run.abort(error);
    }
  }
}
