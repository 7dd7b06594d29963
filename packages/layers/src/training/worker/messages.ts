import type { DeviceDescription } from "@ai/tensor";
import type { SentTaskError } from "../../tasks/worker-messages.js";
import type { StepValues, TrainingEstimate } from "../callbacks/callback.js";
import type { EpochRecord } from "../history.js";

/** What happens in a training worker, as the page hears it. */
export type TrainingEvent =
  /** `fit` began, after a resume too. */
  | {
      readonly kind: "start";
      readonly step: number;
      readonly epoch: number;
      /** Epochs to reach in all. */
      readonly epochs: number;
      /** Undefined for a source that does not know its length. */
      readonly stepsPerEpoch: number | undefined;
      readonly totalSteps: number | undefined;
      readonly estimate: TrainingEstimate | undefined;
    }
  /** Values of steps, a few at a time, and the metrics over the epoch's training batches so far. */
  | {
      readonly kind: "steps";
      readonly steps: readonly StepValues[];
      readonly metrics: Readonly<Record<string, number>>;
    }
  /** Batches of the evaluation after an epoch. */
  | { readonly kind: "evaluation"; readonly done: number; readonly total: number | undefined }
  | { readonly kind: "epoch"; readonly record: EpochRecord }
  /** A checkpoint is whole in the storage. */
  | { readonly kind: "checkpoint"; readonly path: string; readonly step: number }
  | { readonly kind: "paused" | "resumed"; readonly step: number }
  /** What the worker's own code sent. */
  | { readonly kind: "message"; readonly message: unknown };

/** What a page knows of a training worker once it is ready: plain data. */
export interface TrainingInfo {
  readonly device: DeviceDescription;
  /** Steps and finished epochs that a checkpoint brought; 0 without. */
  readonly step: number;
  readonly epoch: number;
  /** Numbers in all parameters. */
  readonly parameters: number;
  /** What the worker's own code gave as `info`. */
  readonly own: unknown;
}

/** How a page starts a run: plain data. */
export interface SentFitOptions {
  readonly epochs: number;
  readonly maxSteps?: number;
  readonly estimate?: boolean;
}

/** How the worker is opened. */
export interface OpenRequest {
  readonly kind: "open";
  readonly options: unknown;
  readonly resume: boolean;
}

/** What a page asks a training worker; what has an `id` is answered. */
export type TrainingRequest =
  | OpenRequest
  | { readonly kind: "fit"; readonly id: number; readonly options: SentFitOptions }
  | { readonly kind: "evaluate" | "save" | "weights"; readonly id: number }
  | { readonly kind: "call"; readonly id: number; readonly name: string; readonly argument: unknown }
  | { readonly kind: "abort"; readonly id: number }
  | { readonly kind: "pause" | "resume" | "close" }
  | { readonly kind: "stop"; readonly reason: string };

/** The history of a run as it crosses threads. */
export interface SentHistory {
  readonly epochs: readonly EpochRecord[];
  readonly losses: Float64Array;
  readonly learningRates: Float64Array;
}

/** What a training worker answers. */
export type TrainingAnswer =
  | { readonly kind: "listening" | "closed" }
  | { readonly kind: "ready"; readonly info: TrainingInfo; readonly history: SentHistory }
  | { readonly kind: "failed"; readonly error: SentTaskError }
  | { readonly kind: "result"; readonly id: number; readonly value: unknown }
  | { readonly kind: "error"; readonly id: number; readonly error: SentTaskError }
  | { readonly kind: "event"; readonly event: TrainingEvent };
