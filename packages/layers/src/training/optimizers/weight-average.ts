import {
  dispose,
  fromValues,
  InputError,
  keep,
  noGrad,
  read,
  stopGradient,
  type Tensor,
  tidy,
  WeightsError,
} from "@ai/tensor";
import { formatShape } from "../../checks.js";
import { Parameter } from "../../parameter.js";
import type { StateEntry } from "../../state-dict.js";
import type { TrainingCallback } from "../callbacks/callback.js";
import { assertOptionNames } from "../option-names.js";
import { blend } from "./plain-update.js";

/** What a {@link WeightAverage} remembers, on the host. */
export interface WeightAverageState {
  /** Plain JSON. */
  readonly json: { readonly name: string; readonly updates: number };
  /** The averages by position, `0`, `1` …, float32 of the parameters' shapes. */
  readonly tensors: ReadonlyMap<string, StateEntry>;
}

/** A running average of parameters beside the parameters themselves. */
export abstract class WeightAverage {
  /** The averaged parameters, in the order given. */
  readonly parameters: readonly Parameter[];
  /** The average's name in a saved state; class names do not survive bundlers. */
  protected abstract readonly kind: string;
  #updates = 0;
  #values: Tensor[] = [];

  protected constructor(parameters: readonly Parameter[]) {
    const isList = Array.isArray(parameters) && parameters.every((each) => each instanceof Parameter);
    if (!isList || parameters.length === 0)
      throw new InputError(
        `${new.target.name}: expected an array of parameters, got ${isList ? "none" : "something else"}; pass model.parameters()`,
      );
    this.parameters = [...parameters];
  }

  /** Calls of {@link update} so far. */
  get updates(): number {
    return this.#updates;
  }

  /** Share of the new values in the average. @param updates 1 for the second update; the first one copies. */
  protected abstract shareOfNew(updates: number): number;

  /** Takes the parameters' values of now into the average. Call it after an optimizer's step. */
  update(): void {
    const next =
      this.#updates === 0
        ? this.parameters.map(({ value }) => aliasOf(value))
        : this.#blended(this.shareOfNew(this.#updates));
    dispose(this.#values);
    this.#values = next.map((value) => keep(value));
    this.#updates++;
  }

  #blended(share: number): Tensor[] {
    return noGrad(() =>
      tidy(() => this.parameters.map(({ value }, index) => blend(this.#values[index], value, share))),
    );
  }

  /**
   * Puts the averages into the parameters, for good. Running statistics of batch norms are not averaged: go through
   * some training data in training mode afterwards.
   * @throws InputError before the first update.
   */
  copyToParameters(): void {
    this.#assertUpdated("copyToParameters");
    this.parameters.forEach((parameter, index) => {
      parameter.setValue(aliasOf(this.#values[index]));
    });
  }

  /**
   * Runs something with the averages in the parameters, for example an evaluation, and puts the values of before back.
   * @throws InputError before the first update; what `run` throws.
   * @example
   * const scores = await average.during(() => trainer.evaluate(validation));
   */
  async during<Result>(run: () => Result | Promise<Result>): Promise<Result> {
    this.#assertUpdated("during");
    const before = this.parameters.map(({ value }) => aliasOf(value));
    this.copyToParameters();
    try {
      return await run();
    } finally {
      this.parameters.forEach((parameter, index) => {
        parameter.setValue(before[index]);
      });
    }
  }

  #assertUpdated(operation: string): void {
    if (this.#updates === 0)
      throw new InputError(
        `${this.kind}.${operation}: expected an average, got none yet; call update() after a step first`,
      );
  }

  /** Copies the averages to the host. */
  async state(): Promise<WeightAverageState> {
    const json = { name: this.kind, updates: this.#updates };
    const entries = this.#values.map(async (value, index): Promise<[string, StateEntry]> => {
      const { shape } = value;
      return [
        String(index),
        { dtype: "float32", shape, values: (await read(value)).slice() as Float32Array },
      ];
    });
    return { json, tensors: new Map(await Promise.all(entries)) };
  }

  /** Goes on from a saved state. @throws WeightsError when it is of another average or other parameters; nothing changes then. */
  loadState(state: WeightAverageState): void {
    const { json, tensors } = (state ?? {}) as Partial<WeightAverageState>;
    const isCount = Number.isSafeInteger(json?.updates) && (json?.updates as number) >= 0;
    if (json?.name !== this.kind || !isCount || !(tensors instanceof Map))
      throw new WeightsError(
        `${this.kind}.loadState: expected a state of ${this.kind}, got ${JSON.stringify(json) ?? typeof state}`,
      );
    const count = json.updates === 0 ? 0 : this.parameters.length;
    const entries = this.parameters.slice(0, count).map(({ shape }, index) => {
      const entry: StateEntry | undefined = tensors.get(String(index));
      if (entry?.dtype !== "float32" || formatShape(entry.shape) !== formatShape(shape))
        throw new WeightsError(
          `${this.kind}.loadState: expected ${formatShape(shape)} for average ${index}, got ${entry === undefined ? "none" : formatShape(entry.shape)}`,
        );
      return entry;
    });
    dispose(this.#values);
    this.#values = entries.map(({ values, shape }) =>
      keep(fromValues((values as Float32Array).slice(), shape, "float32")),
    );
    this.#updates = json.updates;
  }

  /** Frees the averages; the parameters stay. */
  dispose(): void {
    dispose(this.#values);
    this.#values = [];
    this.#updates = 0;
  }
}

/** Another tensor on the same data; an optimizer's step in place copies them first. @returns `[...]` */
function aliasOf(value: Tensor): Tensor {
  return keep(stopGradient(value));
}

/**
 * Stochastic weight averaging: the plain mean of the weights at every {@link update}, as
 * `torch.optim.swa_utils.AveragedModel`: `a ← a + (p − a) / (n + 1)`.
 * @see Izmailov, Podoprikhin, Garipov, Vetrov, Wilson (2018), "Averaging Weights Leads to Wider Optima and Better
 * Generalization", https://arxiv.org/abs/1803.05407
 */
export class StochasticWeightAverage extends WeightAverage {
  protected override readonly kind = "StochasticWeightAverage";

  /** @throws InputError unless there are parameters. */
  constructor(parameters: readonly Parameter[]) {
    super(parameters);
  }

  protected override shareOfNew(updates: number): number {
    return 1 / (updates + 1);
  }
}

/** Options of {@link ExponentialMovingAverage}. */
export interface ExponentialMovingAverageOptions {
  /** Share of the average that stays, in [0, 1]. Default 0.999. */
  readonly decay?: number;
  /** Begin with a smaller decay: at most `(1 + n) / (10 + n)` after n updates. Default false. */
  readonly warmUp?: boolean;
}

/**
 * Exponential moving average of the weights, as `torch.optim.swa_utils.get_ema_multi_avg_fn`:
 * `a ← decay·a + (1 − decay)·p`, beginning with a copy.
 * @see Polyak, Juditsky (1992), "Acceleration of Stochastic Approximation by Averaging", https://doi.org/10.1137/0330046
 * @example
 * const average = new ExponentialMovingAverage(model.parameters(), { decay: 0.999 });
 * await trainer.fit(loader, { epochs: 10, callbacks: [weightAveraging(average)] });
 * average.copyToParameters();
 */
export class ExponentialMovingAverage extends WeightAverage {
  protected override readonly kind = "ExponentialMovingAverage";
  readonly #decay: number;
  readonly #warmUp: boolean;

  /** @throws InputError for a decay that is not in [0, 1]. */
  constructor(parameters: readonly Parameter[], options: ExponentialMovingAverageOptions = {}) {
    super(parameters);
    assertOptionNames("ExponentialMovingAverage", options, ["decay", "warmUp"]);
    const { decay = 0.999, warmUp = false } = options;
    if (!(decay >= 0 && decay <= 1))
      throw new InputError(`ExponentialMovingAverage: expected a decay in [0, 1], got ${decay}`);
    this.#decay = decay;
    this.#warmUp = warmUp;
  }

  protected override shareOfNew(updates: number): number {
    const decay = this.#warmUp ? Math.min(this.#decay, (1 + updates) / (10 + updates)) : this.#decay;
    return 1 - decay;
  }
}

/** Options of {@link weightAveraging}. */
export interface WeightAveragingOptions {
  /** The first optimizer step that is taken in. Default 1. */
  readonly startStep?: number;
  /** Steps from one update of the average to the next. Default 1. */
  readonly interval?: number;
}

/**
 * A callback that updates an average after the trainer's steps; its values are part of checkpoints.
 * @throws InputError for counts that are not positive integers.
 */
export function weightAveraging(
  average: WeightAverage,
  options: WeightAveragingOptions = {},
): TrainingCallback {
  assertOptionNames("weightAveraging", options, ["startStep", "interval"]);
  const { startStep = 1, interval = 1 } = options;
  for (const [name, value] of Object.entries({ startStep, interval }))
    if (!Number.isInteger(value) || value < 1)
      throw new InputError(`weightAveraging: expected an integer ${name} of at least 1, got ${value}`);
  return {
    name: "weight-averaging",
    onStepEnd: ({ trainer: { step } }) => {
      if (step >= startStep && (step - startStep) % interval === 0) average.update();
    },
    state: () => average.state(),
    loadState: (state) => average.loadState(state as WeightAverageState),
  };
}
