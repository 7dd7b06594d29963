import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import {
  checkpoints,
  listCheckpoints,
  progressBar,
  saveCheckpoint,
  type TrainingCallback,
} from "@ai/layers/training";
import { InputError } from "@ai/tensor";
import type { CommandContext } from "./command-context.js";
import { InterruptedError } from "./interruption.js";

/** What a training is asked for beside its own options. */
export interface TrainingRunOptions {
  /** Folder of the model; its checkpoints are below. */
  readonly out: string;
  readonly resume: boolean;
  readonly overwrite: boolean;
  /** What must be the same when it goes on. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** Where a model goes unless the user says otherwise. */
export function defaultOut(data: string): string {
  return join("models", basename(data, extname(data)) || "model");
}

const isThere = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined)) !== undefined;

/** A training with its checkpoints, which Ctrl-C leaves in a state to go on from. */
export class TrainingRun {
  readonly out: string;
  readonly #context: CommandContext;
  readonly #folder: string;
  /** The last step that was saved because of Ctrl-C, or the end of an epoch. */
  #savedStep: number | undefined;

  private constructor(context: CommandContext, out: string) {
    this.#context = context;
    this.out = out;
    this.#folder = join(out, "checkpoints");
  }

  /**
   * Makes the folder ready.
   * @throws InputError for a folder with another run or a finished model, or a run that had other settings.
   */
  static async start(context: CommandContext, options: TrainingRunOptions): Promise<TrainingRun> {
    const { out, resume, overwrite, settings } = options;
    const run = new TrainingRun(context, out);
    const saved = await listCheckpoints(run.#folder);
    const settingsFile = join(run.#folder, "settings.json");
    if (resume && saved.length > 0) {
      assertSame(JSON.parse(await readFile(settingsFile, "utf8")) as Record<string, unknown>, settings);
      return run;
    }
    if (!overwrite && saved.length > 0)
      throw new InputError(
        `${out}: expected a folder without a training, got one with checkpoints; go on with --resume, or start again with --overwrite`,
      );
    if (!overwrite && (await isThere(join(out, "config.json"))))
      throw new InputError(
        `${out}: expected a folder without a model, got one with config.json; choose another --out, or replace it with --overwrite`,
      );
    if (resume) context.note(`no checkpoint in ${run.#folder} yet: starts from the beginning`);
    await rm(run.#folder, { recursive: true, force: true });
    await mkdir(run.#folder, { recursive: true });
    await writeFile(settingsFile, `${JSON.stringify(settings, undefined, 2)}\n`);
    return run;
  }

  /** Folder of the checkpoints, for `resumeFrom`. */
  get folder(): string {
    return this.#folder;
  }

  /** Shows progress, saves each epoch, and the step at which Ctrl-C came. */
  callbacks(title: string): TrainingCallback[] {
    return [
      progressBar({ title }),
      checkpoints({ folder: this.#folder, everyEpochs: 1, keepLast: 2 }),
      this.#saveWhenInterrupted(),
    ];
  }

  #saveWhenInterrupted(): TrainingCallback {
    const { interruption } = this.#context;
    return {
      name: "interruption",
      last: true,
      onFitStart: () => interruption.defer(),
      onStepEnd: async ({ trainer }) => {
        if (!interruption.isRequested) return;
        await saveCheckpoint(this.#folder, await trainer.state());
        this.#savedStep = trainer.step;
        interruption.abort();
      },
      // `checkpoints` has saved it just before
      onEpochEnd: (_, { trainer }) => {
        this.#savedStep = trainer.step;
        if (interruption.isRequested) interruption.abort();
      },
      onFitEnd: () => interruption.resume(),
    };
  }

  /** What a training threw: after Ctrl-C with how to go on. */
  explain(error: unknown): unknown {
    if (!(error instanceof InterruptedError) || this.#savedStep === undefined) return error;
    const command = commandLine();
    const resumed = command.includes(" --resume") ? command : `${command} --resume`;
    return new InterruptedError(
      `stopped from the keyboard after step ${this.#savedStep}, which is saved in ${this.#folder}; go on with: ${resumed}`,
    );
  }

  /** The model is saved: its checkpoints are of no more use. */
  async finish(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** What the user wrote, so that it can be written again. */
export function commandLine(): string {
  const quoted = process.argv
    .slice(2)
    .map((word) => (/^[\w@%+=:,./\\-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`));
  return `npx @ai/vision ${quoted.join(" ")}`;
}

/** @throws InputError naming what differs. */
function assertSame(before: Readonly<Record<string, unknown>>, now: Readonly<Record<string, unknown>>): void {
  for (const name of new Set([...Object.keys(before), ...Object.keys(now)])) {
    const [old, given] = [before[name], now[name]].map((value) => JSON.stringify(value) ?? "none");
    if (old !== given)
      throw new InputError(
        `--resume: expected the options of the training that goes on, got ${name} ${given} where it had ${old}; give the same, or start again with --overwrite`,
      );
  }
}
