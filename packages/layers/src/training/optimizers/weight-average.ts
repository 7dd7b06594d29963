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
import { Parameter, StateTensor, type StoredTensor } from "../../parameter.js";
import type { StateEntry } from "../../state-dict.js";
import type { TrainingCallback } from "../callbacks/callback.js";
import { assertOptionNames } from "../option-names.js";
import { lerp } from "./plain-update.js";

/** What a {@link WeightAverage} remembers, on the host. */
export interface WeightAverageState {
  /** Plain JSON. */
  readonly json: { readonly name: string; readonly updates: number };
  /** The averages by position, `0`, `1` …, parameters before buffers, float32 of their shapes. */
  readonly tensors: ReadonlyMap<string, StateEntry>;
}

/** Options of every {@link WeightAverage}. */
export interface WeightAverageOptions {
  /**
   * State that is averaged with the parameters, `model.buffers()` (PyTorch's `use_buffers`): running statistics then fit
   * the averages about. Default: none, and {@link updateBatchNorm} gathers them anew. Counters are not averaged.
   */
  readonly buffers?: readonly StateTensor[];
}

/** A running average of parameters beside the parameters themselves. */
export abstract class WeightAverage {
  /** The averaged parameters, in the order given. */
  readonly parameters: readonly Parameter[];
  /** The averaged state, in the order given. */
  readonly buffers: readonly StateTensor[];
  readonly #averaged: readonly StoredTensor[];
  /** The average's name in a saved state; class names do not survive bundlers. */
  protected abstract readonly kind: string;
  #updates = 0;
  #values: Tensor[] = [];

  protected constructor(parameters: readonly Parameter[], { buffers = [] }: WeightAverageOptions = {}) {
    const isList = Array.isArray(parameters) && parameters.every((each) => each instanceof Parameter);
    if (!isList || parameters.length === 0)
      throw new InputError(
        `${new.target.name}: expected an array of parameters, got ${isList ? "none" : "something else"}; pass model.parameters()`,
      );
    const isState =
      Array.isArray(buffers) &&
      buffers.every((each) => each instanceof StateTensor && each.dtype === "float32");
    if (!isState)
      throw new InputError(
        `${new.target.name}: expected an array of float32 state tensors as buffers, got something else; pass model.buffers()`,
      );
    this.parameters = [...parameters];
    this.buffers = [...buffers];
    this.#averaged = [...parameters, ...buffers];
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
        ? this.#averaged.map(({ value }) => aliasOf(value))
        : this.#blended(this.shareOfNew(this.#updates));
    dispose(this.#values);
    this.#values = next.map((value) => keep(value));
    this.#updates++;
  }

  #blended(share: number): Tensor[] {
    return noGrad(() =>
      tidy(() => this.#averaged.map(({ value }, index) => lerp(this.#values[index], value, share))),
    );
  }

  /**
   * Puts the averages into the parameters and buffers, for good. Running statistics of batch norms are those of the last weights
   * unless they are averaged as `buffers`: gather them anew with {@link updateBatchNorm}.
   * @throws InputError before the first update.
   */
  copyToParameters(): void {
    this.#assertUpdated("copyToParameters");
    this.#averaged.forEach((stored, index) => {
      stored.setValue(aliasOf(this.#values[index]));
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
    const before = this.#averaged.map(({ value }) => aliasOf(value));
    this.copyToParameters();
    try {
      return await run();
    } finally {
      this.#averaged.forEach((stored, index) => {
        stored.setValue(before[index]);
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
    const count = json.updates === 0 ? 0 : this.#averaged.length;
    if (tensors.size > count)
      throw new WeightsError(
        `${this.kind}.loadState: expected ${count} averages, got ${tensors.size}; pass the same parameters and buffers`,
      );
    const entries = this.#averaged.slice(0, count).map(({ shape }, index) => {
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

  /** @throws InputError unless there are parameters, or for buffers that are none. */
  constructor(parameters: readonly Parameter[], options: WeightAverageOptions = {}) {
    super(parameters, options);
    assertOptionNames("StochasticWeightAverage", options, ["buffers"]);
  }

  protected override shareOfNew(updates: number): number {
    return 1 / (updates + 1);
  }
}

/** Options of {@link ExponentialMovingAverage}. */
export interface ExponentialMovingAverageOptions extends WeightAverageOptions {
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
    super(parameters, options);
    assertOptionNames("ExponentialMovingAverage", options, ["decay", "warmUp?", "buffers"]);
    const { decay = 0.999, warmUp = false } = options;
    if (!(typeof decay === "number" && decay >= 0 && decay <= 1))
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
  /** Names it in a checkpoint: another one for each average of a run. Default "weight-averaging". */
  readonly name?: string;
}

/**
 * A callback that updates an average after the trainer's steps; its values are part of checkpoints. A run may have
 * several, for example a mean and a moving average, under names of their own.
 * @throws InputError for counts that are not positive integers, or a name that is none.
 * @example
 * const callbacks = [weightAveraging(ema), weightAveraging(swa, { name: "swa", startStep: 500, interval: 50 })];
 */
export function weightAveraging(
  average: WeightAverage,
  options: WeightAveragingOptions = {},
): TrainingCallback {
  assertOptionNames("weightAveraging", options, ["startStep", "interval", "name"]);
  const { startStep = 1, interval = 1, name: ownName = "weight-averaging" } = options;
  if (typeof ownName !== "string" || ownName === "" || ownName.includes("/"))
    throw new InputError(`weightAveraging: expected a name without slashes, got ${JSON.stringify(ownName)}`);
  for (const [name, value] of Object.entries({ startStep, interval }))
    if (!Number.isInteger(value) || value < 1)
      throw new InputError(`weightAveraging: expected an integer ${name} of at least 1, got ${value}`);
  return {
    name: ownName,
    onStepEnd: ({ trainer: { step } }) => {
      if (step >= startStep && (step - startStep) % interval === 0) average.update();
    },
    state: () => average.state(),
    loadState: (state) => average.loadState(state as WeightAverageState),
  };
}
