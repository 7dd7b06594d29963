/** What one epoch gave. */
export interface EpochRecord {
  /** From 1. */
  readonly epoch: number;
  /** Optimizer steps since the first epoch began. */
  readonly step: number;
  /** Seconds of this epoch, evaluation included; not equal from run to run. */
  readonly seconds: number;
  /** Rate of the first group at the end of the epoch. */
  readonly learningRate: number;
  /** `loss` and each metric over the epoch's training batches; the same after `validation.` where there was one. */
  readonly values: Readonly<Record<string, number>>;
}

/** Values of every step and epoch of a training run. */
export class TrainingHistory {
  /** One record an epoch. */
  readonly epochs: EpochRecord[] = [];
  /** Training loss of step `index + 1`: the mean over its batches. */
  readonly losses: number[] = [];
  /** Learning rate of the first group in step `index + 1`. */
  readonly learningRates: number[] = [];

  /** A value of the last epoch; undefined before there is one. */
  latest(name: string): number | undefined {
    return this.epochs.at(-1)?.values[name];
  }

  /** Replaces everything by saved values. */
  restore(epochs: readonly EpochRecord[], losses: ArrayLike<number>, learningRates: ArrayLike<number>): void {
    this.epochs.splice(0, this.epochs.length, ...epochs);
    this.losses.length = 0;
    this.learningRates.length = 0;
    for (let index = 0; index < losses.length; index++) {
      this.losses.push(losses[index]);
      this.learningRates.push(learningRates[index]);
    }
  }
}
