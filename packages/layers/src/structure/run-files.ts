import { InputError } from "@ai/tensor";
import { nodeStorage, type TrainingStorage } from "../training/storage.js";
import type { FinishedRun } from "./run-variant.js";

/** Default steps between checkpoints. */
const CHECKPOINT_STEPS = 100;

/** Where comparisons keep their runs. */
export interface RunFilesOptions {
  readonly folder?: string;
  readonly checkpointSteps?: number;
  readonly storage?: TrainingStorage;
}

/** What a run leaves in the comparison's folder: checkpoints while it trains, its result afterwards. */
export class RunFiles {
  /** Options of the `checkpoints` callback. */
  readonly checkpoints: {
    readonly folder: string;
    readonly everySteps: number;
    readonly keepLast: number;
    readonly storage: TrainingStorage;
  };
  readonly #result: string;

  private constructor(folder: string, everySteps: number, storage: TrainingStorage) {
    this.checkpoints = { folder: `${folder}/checkpoints`, everySteps, keepLast: 1, storage };
    this.#result = `${folder}/result.json`;
  }

  /** @param variant Position of the variant. @returns undefined when the comparison has no folder. */
  static async open(options: RunFilesOptions, variant: number, seed: number): Promise<RunFiles | undefined> {
    const { folder, checkpointSteps = CHECKPOINT_STEPS, storage } = options;
    if (folder === undefined) return undefined;
    const place = `${folder}/variant-${variant + 1}-seed-${seed}`;
    return new RunFiles(place, checkpointSteps, storage ?? (await nodeStorage()));
  }

  /**
   * The result of an earlier comparison in the same folder; a failed run starts again.
   * @throws InputError when it is of another variant.
   */
  async result(name: string): Promise<FinishedRun | undefined> {
    let bytes: Uint8Array;
    try {
      bytes = await this.checkpoints.storage.read(this.#result);
    } catch {
      return undefined; // there is none yet
    }
    const saved = JSON.parse(new TextDecoder().decode(bytes)) as FinishedRun & { readonly name: string };
    if (saved.name !== name)
      throw new InputError(
        `compareVariants: expected a run of ${name} in ${this.#result}, got one of ${saved.name}; use another folder or the same list of variants`,
      );
    return saved.run.error === undefined ? { run: saved.run, size: saved.size } : undefined;
  }

  /** Keeps the result of a run and removes its checkpoints. */
  async finish(name: string, done: FinishedRun): Promise<void> {
    const { storage, folder } = this.checkpoints;
    if (done.run.error === undefined)
      await storage.write(this.#result, new TextEncoder().encode(JSON.stringify({ name, ...done })));
    await storage.remove(folder);
  }
}
