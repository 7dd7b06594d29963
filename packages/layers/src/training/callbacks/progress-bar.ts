import type { EpochRecord } from "../history.js";
import { assertOptionNames } from "../option-names.js";
import type { FitEnd, StepValues, TrainingCallback, TrainingRun } from "./callback.js";

/** Time between two redraws on a terminal. */
const REDRAW_MILLISECONDS = 100;
/** Time between two lines where nothing can be redrawn. */
const LINE_MILLISECONDS = 15_000;
const DEFAULT_COLUMNS = 80;
const BAR_COLUMNS = 24;
/** Weight of the newest step in the smoothed loss and rate. */
const SMOOTHING = 0.05;

/** Where progress is shown. */
export interface ProgressOutput {
  write(text: string): void;
  /** Whether a line can be drawn over: a terminal. */
  readonly isTerminal: boolean;
  readonly columns: number;
}

/** Options of {@link progressBar}. */
export interface ProgressBarOptions {
  /** Default: standard error in Node, the console elsewhere. */
  readonly output?: ProgressOutput;
  /** Stands in front, for example the model's name. */
  readonly title?: string;
}

function defaultOutput(): ProgressOutput {
  if (typeof process !== "undefined" && process.stderr?.write !== undefined) {
    const { stderr } = process;
    return {
      write: (text) => void stderr.write(text),
      isTerminal: stderr.isTTY === true,
      get columns() {
        return stderr.columns ?? DEFAULT_COLUMNS;
      },
    };
  }
  return { write: (text) => console.log(text.trimEnd()), isTerminal: false, columns: DEFAULT_COLUMNS };
}

/** `1 h 05 min`, `2 min 03 s`, `4.2 s`. */
export function formatDuration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (value: number): string => String(value).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
}

function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(2) : value.toFixed(4);
}

/**
 * Shows loss, metrics, learning rate, speed and the time that is left, and each epoch's values; before the run how long it will
 * take when `fit` was asked for an estimate. One line that is redrawn on a terminal, now and then a line elsewhere.
 * @example
 * await trainer.fit(loader, { epochs: 2, estimate: true, callbacks: [progressBar()] });
 */
export function progressBar(options: ProgressBarOptions = {}): TrainingCallback {
  assertOptionNames("progressBar", options, ["output", "title"]);
  const { output = defaultOutput(), title } = options;
  return new ProgressBar(output, title === undefined ? "" : `${title}: `);
}

class ProgressBar implements TrainingCallback {
  readonly name = "progress-bar";
  readonly #output: ProgressOutput;
  readonly #title: string;
  #loss: number | undefined;
  #secondsPerStep: number | undefined;
  #lastStepAt = 0;
  #shownAt = 0;
  #drawn = 0;

  constructor(output: ProgressOutput, title: string) {
    this.#output = output;
    this.#title = title;
  }

  onFitStart(run: TrainingRun): void {
    const { estimate } = run;
    if (estimate !== undefined)
      this.#print(
        `about ${formatDuration(estimate.seconds)} for ${estimate.steps} steps (${formatDuration(estimate.secondsPerStep)} each)`,
      );
    if (run.trainer.step > 0)
      this.#print(`continues after step ${run.trainer.step}, epoch ${run.trainer.epoch + 1}`);
    this.#loss = undefined;
    this.#secondsPerStep = estimate?.secondsPerStep;
    this.#shownAt = performance.now();
  }

  onEpochStart(): void {
    this.#lastStepAt = performance.now(); // evaluation between epochs is no step
  }

  onStepValues({ step, loss, learningRate }: StepValues, run: TrainingRun): void {
    const now = performance.now();
    const seconds = (now - this.#lastStepAt) / 1000;
    this.#lastStepAt = now;
    const smooth = (old: number | undefined, value: number): number =>
      old === undefined ? value : old + SMOOTHING * (value - old);
    this.#loss = smooth(this.#loss, loss);
    this.#secondsPerStep = smooth(this.#secondsPerStep, seconds);
    if (now - this.#shownAt < (this.#output.isTerminal ? REDRAW_MILLISECONDS : LINE_MILLISECONDS)) return;
    this.#shownAt = now;
    const { totalSteps, epochs } = run;
    const speed = `${(1 / this.#secondsPerStep).toFixed(1)} steps/s`;
    const left =
      totalSteps === undefined ? [] : [`${formatDuration((totalSteps - step) * this.#secondsPerStep)} left`];
    const metrics = Object.entries(run.currentMetrics()).map(
      ([name, value]) => `${name} ${formatNumber(value)}`,
    );
    const parts = [
      `loss ${formatNumber(this.#loss)}`,
      ...metrics,
      `lr ${formatNumber(learningRate)}`,
      speed,
      ...left,
    ];
    this.#draw(`epoch ${run.trainer.epoch + 1}/${epochs}`, step, totalSteps, parts);
  }

  onEvaluationStep({ done, total }: { readonly done: number; readonly total: number | undefined }): void {
    if (!this.#output.isTerminal || performance.now() - this.#shownAt < REDRAW_MILLISECONDS) return;
    this.#shownAt = performance.now();
    this.#draw("evaluating", done, total, []);
  }

  onEpochEnd({ epoch, step, seconds, values }: EpochRecord, run: TrainingRun): void {
    const shown = Object.entries(values).map(([name, value]) => `${name} ${formatNumber(value)}`);
    this.#print(
      `epoch ${epoch}/${run.epochs}  step ${step}  ${shown.join("  ")}  ${formatDuration(seconds)}`,
    );
  }

  onFitEnd({ outcome, reason }: FitEnd, run: TrainingRun): void {
    this.#clear();
    if (outcome !== "finished") this.#print(`${outcome} after step ${run.trainer.step}: ${reason}`);
  }

  #draw(label: string, done: number, total: number | undefined, parts: readonly string[]): void {
    const share = total === undefined || total === 0 ? undefined : Math.min(1, done / total);
    const filled = Math.round((share ?? 0) * BAR_COLUMNS);
    const bar =
      share === undefined || !this.#output.isTerminal
        ? ""
        : `[${"█".repeat(filled)}${"·".repeat(BAR_COLUMNS - filled)}] `;
    const line = `${this.#title}${label} ${bar}${done}${total === undefined ? "" : `/${total}`}  ${parts.join("  ")}`;
    if (!this.#output.isTerminal) {
      this.#output.write(`${line}\n`);
      return;
    }
    const fitting = line.slice(0, Math.max(1, this.#output.columns - 1));
    this.#output.write(`\r${fitting.padEnd(this.#drawn)}`);
    this.#drawn = fitting.length;
  }

  #clear(): void {
    if (this.#drawn > 0) this.#output.write(`\r${" ".repeat(this.#drawn)}\r`);
    this.#drawn = 0;
  }

  #print(text: string): void {
    this.#clear();
    this.#output.write(`${this.#title}${text}\n`);
  }
}
