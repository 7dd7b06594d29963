import { dispose, InputError, KernelError, keep, type Tensor } from "@ai/tensor";
import type { Parameter } from "../parameter.js";
import { lossOfBatch } from "./batch-loss.js";
import type { StepValues } from "./callbacks/callback.js";
import type { TrainingHistory } from "./history.js";
import { areFinite, clipGradNorm, clipGradValue } from "./optimizers/index.js";
import type { TrainableModel, TrainerOptions } from "./trainer-options.js";
import {
  type BatchWeight,
  GradientSum,
  type LossResult,
  lossAndGradients,
  weightOf,
} from "./training-step.js";
import { ValueReader } from "./value-reader.js";

/** Steps that may be skipped in a row before a run is given up. */
const MAX_SKIPPED_STEPS = 10;
const ADVICE = "lower the learning rate, clip gradients, or run the step in detectAnomaly to find the op";

/** A loss that is NaN or infinite. */
export class NonFiniteLossError extends KernelError {}

/** Does optimizer steps: gradients of some batches, clipping, update, schedule. */
export class Stepper<Batch, Model extends TrainableModel> {
  /** Optimizer steps so far. */
  step = 0;
  /** Steps that were left out. */
  skipped = 0;
  /** Sums of the epoch in progress: loss times weight, and weights. */
  lossSum = 0;
  items = 0;
  readonly reader = new ValueReader();
  readonly #options: TrainerOptions<Batch, Model>;
  readonly #history: TrainingHistory;
  #skippedInARow = 0;
  #trained: readonly Parameter[] = [];
  #gradients = new GradientSum(0);
  #losses: Tensor[] = [];
  #batchWeights: BatchWeight[] = [];
  /** Outputs and targets of the step in the making: metrics count what an update used. */
  #observed: [output: Tensor, target: Tensor][] = [];

  constructor(options: TrainerOptions<Batch, Model>, history: TrainingHistory) {
    this.#options = options;
    this.#history = history;
  }

  /** The loss of a batch, by the trainer's `loss` or `computeLoss`. */
  lossOf(batch: Batch): Tensor | LossResult {
    return lossOfBatch(this.#options.model, this.#options, batch);
  }

  /** How much a batch counts; a tensor `[]` is the caller's. */
  weightOf(batch: Batch): BatchWeight {
    return weightOf(batch, this.#options.batchWeight);
  }

  /** Counts a batch in every metric. */
  readonly observe = (output: Tensor, target: Tensor): void => {
    for (const metric of Object.values(this.#options.metrics ?? {})) metric.update(output, target);
  };

  /** Batches that wait for {@link update}. */
  get batches(): number {
    return this.#gradients.batches;
  }

  /** Adds the gradients of a batch to the step in the making. */
  accumulate(batch: Batch): void {
    if (this.batches === 0) {
      const trained = this.#options.optimizer.parameters.filter((parameter) => parameter.requiresGrad);
      if (trained.length === 0)
        throw new InputError(
          "Trainer: expected a parameter with requiresGrad in the optimizer, got none; thaw some, or make the optimizer after applyLora",
        );
      this.#trained = trained;
      this.#gradients = new GradientSum(trained.length);
    }
    const { loss, gradients } = lossAndGradients(
      this.#trained,
      () => this.lossOf(batch),
      (pair) => {
        if (this.#options.metrics !== undefined) this.#observed.push(pair);
        else dispose(pair);
      },
    );
    if (gradients.every((gradient) => gradient === null)) {
      loss.dispose();
      throw new InputError(
        "Trainer: expected a loss that depends on the optimizer's parameters, got one that ignores them all; make the optimizer with the parameters of this model",
      );
    }
    let weight: BatchWeight;
    try {
      weight = this.weightOf(batch);
    } catch (error) {
      dispose([loss, gradients]);
      throw error;
    }
    this.#gradients.add(gradients, weight);
    if (weight === 0) {
      loss.dispose();
      return;
    }
    this.#losses.push(loss);
    this.#batchWeights.push(typeof weight === "number" ? weight : keep(weight));
  }

  /**
   * Updates the weights with the mean gradient of the batches so far. @returns whether it did: not when it was skipped.
   * @param onValues Called later, when the step's values are known.
   * @param onGradients Gets the gradients, one a parameter of the optimizer, right before they are used.
   */
  async update(
    epoch: number,
    onValues: (values: StepValues) => void,
    onGradients?: (gradients: readonly (Tensor | null)[]) => Promise<void>,
  ): Promise<boolean> {
    this.reader.throwFailure();
    if (this.#losses.length === 0)
      throw new InputError(
        `Trainer.fit: expected a batch of a weight above 0 for step ${this.step + 1}, got ${this.batches} of weight 0; leave such batches out or accumulate more`,
      );
    const { optimizer, schedule, scheduleInterval = "step", nonFinite = "stop" } = this.#options;
    let gradients = this.#gradients.take();
    let norm: Tensor | undefined;
    try {
      if (nonFinite === "skip" && !(await areFinite(gradients))) {
        this.#skip();
        return false;
      }
      this.#skippedInARow = 0;
      ({ gradients, norm } = this.#clip(gradients));
      const byParameter = new Map(this.#trained.map((parameter, index) => [parameter, gradients[index]]));
      const all = optimizer.parameters.map((parameter) => byParameter.get(parameter) ?? null);
      await onGradients?.(all);
      const { learningRate } = optimizer.groups[0].options;
      optimizer.step(all);
      if (scheduleInterval === "step") schedule?.step();
      this.step++;
      for (const [output, target] of this.#observed) this.observe(output, target);
      dispose(this.#observed);
      this.#observed = [];
      this.#readValues({ step: this.step, epoch, learningRate }, norm, onValues);
      norm = undefined;
      return true;
    } finally {
      dispose(gradients);
      norm?.dispose();
    }
  }

  /**
   * @throws KernelError when a weight is not finite: gradients can be NaN beside a finite loss.
   */
  async assertFiniteWeights(): Promise<void> {
    const values = this.#options.optimizer.parameters.flatMap(({ value }) => (value.size > 0 ? [value] : []));
    if (!(await areFinite(values)))
      throw new KernelError(
        `Trainer.fit: expected finite weights, got NaN or infinity at or before step ${this.step}; ${ADVICE}`,
      );
  }

  #clip(gradients: (Tensor | null)[]): { gradients: (Tensor | null)[]; norm: Tensor | undefined } {
    const { maxGradientNorm, maxGradientValue } = this.#options;
    let clipped = gradients;
    if (maxGradientValue !== undefined) {
      clipped = clipGradValue(gradients, maxGradientValue);
      dispose(gradients);
    }
    if (maxGradientNorm === undefined) return { gradients: clipped, norm: undefined };
    const result = clipGradNorm(clipped, maxGradientNorm);
    dispose(clipped);
    return { gradients: result.gradients, norm: result.totalNorm };
  }

  #skip(): void {
    this.discard();
    this.skipped++;
    this.#skippedInARow++;
    if (this.#skippedInARow > MAX_SKIPPED_STEPS)
      throw new KernelError(
        `Trainer.fit: expected finite gradients, got none in ${this.#skippedInARow} steps in a row after step ${this.step}; ${ADVICE}`,
      );
  }

  #readValues(
    info: { step: number; epoch: number; learningRate: number },
    norm: Tensor | undefined,
    onValues: (values: StepValues) => void,
  ): void {
    const losses = this.#losses;
    const weights = this.#batchWeights;
    this.#losses = [];
    this.#batchWeights = [];
    const onDevice = weights.filter((weight) => typeof weight !== "number");
    const tensors = [...losses, ...onDevice, ...(norm === undefined ? [] : [norm])];
    this.reader.push(tensors, (...values) => {
      let [sum, total, position] = [0, 0, losses.length];
      weights.forEach((weight, index) => {
        const count = typeof weight === "number" ? weight : values[position++][0];
        sum += values[index][0] * count;
        total += count;
      });
      this.lossSum += sum;
      this.items += total;
      const loss = sum / total;
      if (!Number.isFinite(loss))
        throw new NonFiniteLossError(
          `Trainer.fit: expected a finite loss, got ${loss} at step ${info.step}; ${info.step === 1 ? "look for NaN in the data, " : ""}${ADVICE}`,
        );
      this.#history.losses[info.step - 1] = loss;
      this.#history.learningRates[info.step - 1] = info.learningRate;
      const length = norm === undefined ? undefined : values[position][0];
      if (length !== undefined && !Number.isFinite(length))
        throw new KernelError(
          `Trainer.fit: expected finite gradients, got a norm of ${length} at step ${info.step}; ${ADVICE}`,
        );
      onValues({ ...info, loss, ...(length === undefined ? {} : { gradientNorm: length }) });
    });
  }

  /** Frees a step in the making. */
  discard(): void {
    this.#gradients.dispose();
    dispose([this.#losses, this.#observed, this.#batchWeights]);
    this.#losses = [];
    this.#observed = [];
    this.#batchWeights = [];
  }
}
