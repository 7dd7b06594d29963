import type { FitEnd, StepValues, TrainingCallback, TrainingRun } from "../callbacks/callback.js";
import type { EpochRecord } from "../history.js";
import type { TrainingEvent } from "./messages.js";

/** Values of steps wait so long for others that go with them. */
const SEND_MILLISECONDS = 40;

/** Something that is to happen between two steps. */
interface Errand {
  readonly work: () => Promise<void>;
  readonly reject: (reason: unknown) => void;
}

/** Takes part in a run on behalf of a page: sends what happens, pauses, stops, and does errands between steps. */
export class RemoteControl implements TrainingCallback {
  readonly name = "remote-control";
  readonly last = true;
  readonly #send: (event: TrainingEvent) => void;
  readonly #signal: AbortSignal;
  readonly #onEnd: (end: FitEnd) => Promise<void>;
  #steps: StepValues[] = [];
  #sentAt = 0;
  #stopReason: string | undefined;
  #isPaused = false;
  /** Ends a wait while paused: it goes on, or there is an errand. */
  #wake: () => void = () => undefined;
  #errands: Errand[] = [];
  #hasEnded = false;

  /** @param onEnd Is awaited when a run finished or was stopped. */
  constructor(
    send: (event: TrainingEvent) => void,
    signal: AbortSignal,
    onEnd: (end: FitEnd) => Promise<void>,
  ) {
    this.#send = send;
    this.#signal = signal;
    this.#onEnd = onEnd;
    signal.addEventListener("abort", () => this.resume(), { once: true });
  }

  /** Holds the run after the step in progress. */
  pause(): void {
    this.#isPaused = !this.#signal.aborted && this.#stopReason === undefined;
  }

  resume(): void {
    this.#isPaused = false;
    this.#wake();
  }

  /** Ends the run after the step in progress. */
  stop(reason: string): void {
    this.#stopReason ??= reason;
    this.resume();
  }

  /** Does `work` after the step in progress, when all that a run remembers is of one moment. */
  betweenSteps<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#hasEnded) return work();
    return new Promise((resolve, reject) => {
      this.#errands.push({ work: async () => resolve(await work()), reject });
      this.#wake();
    });
  }

  onFitStart({ trainer, epochs, stepsPerEpoch, totalSteps, estimate }: TrainingRun): void {
    const { step, epoch } = trainer;
    this.#send({ kind: "start", step, epoch, epochs, stepsPerEpoch, totalSteps, estimate });
  }

  onStepValues(values: StepValues, run: TrainingRun): void {
    this.#steps.push(values);
    if (performance.now() - this.#sentAt >= SEND_MILLISECONDS) this.#flush(run);
  }

  async onStepEnd(run: TrainingRun): Promise<void> {
    await this.#runErrands();
    if (this.#isPaused) await run.valuesRead(); // those of this step come before the pause
    if (this.#isPaused) {
      this.#flush(run);
      this.#send({ kind: "paused", step: run.trainer.step });
      while (this.#isPaused) {
        if (this.#errands.length === 0)
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        await this.#runErrands();
      }
      if (this.#stopReason === undefined && !this.#signal.aborted)
        this.#send({ kind: "resumed", step: run.trainer.step });
    }
    if (this.#stopReason !== undefined) run.stop(this.#stopReason);
  }

  onEvaluationStep({ done, total }: { readonly done: number; readonly total: number | undefined }): void {
    if (performance.now() - this.#sentAt < SEND_MILLISECONDS) return;
    this.#sentAt = performance.now();
    this.#send({ kind: "evaluation", done, total });
  }

  onEpochEnd(record: EpochRecord, run: TrainingRun): void {
    this.#flush(run);
    this.#send({ kind: "epoch", record });
    if (this.#stopReason !== undefined) run.stop(this.#stopReason);
  }

  async onFitEnd(end: FitEnd, run: TrainingRun): Promise<void> {
    this.#flush(run);
    await this.end();
    if (end.outcome === "finished" || end.outcome === "stopped") await this.#onEnd(end);
  }

  /** No step comes any more, perhaps because none ever did: what waited for one is done now. */
  async end(): Promise<void> {
    this.#hasEnded = true;
    await this.#runErrands();
  }

  async #runErrands(): Promise<void> {
    const errands = this.#errands;
    this.#errands = [];
    for (const { work, reject } of errands) await work().catch(reject);
  }

  #flush(run: TrainingRun): void {
    if (this.#steps.length === 0) return;
    this.#sentAt = performance.now();
    this.#send({ kind: "steps", steps: this.#steps, metrics: run.currentMetrics() });
    this.#steps = [];
  }
}
