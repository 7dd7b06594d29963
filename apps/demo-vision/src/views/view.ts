import type { Picture } from "@ai/vision";
import type { DeviceChoice, DeviceSwitch } from "../devices.js";
import type { Explainer } from "../explainer.js";
import type { Shot } from "../reader.js";
import type { Stage } from "../stage.js";

/** What a view is given. */
export interface ViewContext {
  readonly stage: Stage;
  readonly devices: DeviceSwitch;
  readonly explainer: Explainer;
  /** The view has a new model or option: it wants to look at the picture again. */
  lookAgain(): void;
  /** The picture now, if there is one. */
  shot(): Shot | undefined;
  /** Holds the camera's picture. */
  hold(): void;
}

/** What a view found in a picture. */
export interface Answer {
  /** What the model took. */
  readonly milliseconds: number;
  /** Draws it, when the picture and the view are still in front. */
  readonly show: () => void;
}

/** One thing that the page does with the picture. */
export interface View {
  /** Whether its model can be asked. */
  readonly isReady: boolean;
  /** The device that it computes on; undefined while it has no model. */
  readonly device: string | undefined;
  /** It is in front now. */
  enter(): void;
  look(shot: Shot): Promise<Answer>;
  /** A model's files were dropped. */
  useModel(files: ReadonlyMap<string, File>, name: string): void;
  /** Runs its model on a device. @returns the device in words, and milliseconds of each run after the first. */
  measure(
    choice: DeviceChoice,
    picture: Picture,
    signal: AbortSignal,
  ): Promise<{ readonly device: string; readonly times: readonly number[] }>;
}

const RUNS = 5;

/** Times runs of a task that was loaded for it, and frees it. */
export async function timeRuns(
  task: { dispose(): Promise<void> },
  run: () => Promise<unknown>,
  signal: AbortSignal,
): Promise<number[]> {
  try {
    await run(); // compiles
    const times: number[] = [];
    for (let index = 0; index < RUNS; index++) {
      signal.throwIfAborted();
      const started = performance.now();
      await run();
      times.push(performance.now() - started);
    }
    return times;
  } finally {
    await task.dispose();
  }
}
