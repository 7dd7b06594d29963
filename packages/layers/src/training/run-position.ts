import type { DataLoaderState } from "./data/index.js";
import type { BatchSource } from "./trainer-options.js";

/** What of a position is saved. */
export interface SavedPosition {
  readonly epoch: number;
  readonly continues: boolean;
  readonly data?: DataLoaderState;
  readonly evaluationData?: DataLoaderState;
}

/** Where a trainer is in its run: finished epochs, and the places of its loaders. */
export class RunPosition {
  /** Finished epochs. */
  epoch = 0;
  /** Of the training data behind the last step; undefined before the first run. */
  data: DataLoaderState | undefined;
  evaluationData: DataLoaderState | undefined;
  /** Whether an epoch is in progress. */
  continues = false;
  /** Whether it was loaded, and no run continued it yet. */
  isRestored = false;

  /** Sets loaders to where the run is, when it goes on. */
  moveLoaders(loader: BatchSource<unknown>, validation: BatchSource<unknown> | undefined): void {
    if (!this.isRestored && !this.continues) return;
    if (this.data !== undefined) loader.loadState(this.data);
    if (this.evaluationData !== undefined) validation?.loadState(this.evaluationData);
    this.isRestored = false;
  }

  /** The epoch is done. */
  endEpoch(data: DataLoaderState): void {
    this.data = data;
    this.epoch++;
    this.continues = false;
  }

  saved(): SavedPosition {
    const { epoch, continues, data, evaluationData } = this;
    return {
      epoch,
      continues,
      ...(data === undefined ? {} : { data }),
      ...(evaluationData === undefined ? {} : { evaluationData }),
    };
  }

  restore({ epoch, continues, data, evaluationData }: SavedPosition): void {
    this.epoch = epoch;
    this.continues = continues;
    this.data = data;
    this.evaluationData = evaluationData;
  }
}
