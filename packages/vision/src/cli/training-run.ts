import { mkdir, readdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
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
import { isThere } from "./picture-paths.js";

/** What a training is asked for beside its own options. */
export interface TrainingRunOptions {
  /** Folder of the model; its checkpoints are below. */
  readonly out: string;
  readonly resume: boolean;
  readonly overwrite: boolean;
  /** What must be the same when it goes on. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** What this class writes below `checkpoints`, and what a training that was killed leaves there. */
const CHECKPOINT = /^(\.tmp-\d+-\d+-)?step-\d{10,}(-epoch-\d+)?$/;
const SETTINGS = "settings.json";

/** Where a model goes unless the user says otherwise. */
export function defaultOut(data: string): string {
  return join("models", basename(data, extname(data)) || "model");
}

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
   * @throws InputError for a folder with another run, a finished model or files of somebody else, or a run that had
   * other settings.
   */
  static async start(context: CommandContext, options: TrainingRunOptions): Promise<TrainingRun> {
    const { out, resume, overwrite, settings } = options;
    const run = new TrainingRun(context, out);
    const saved = await listCheckpoints(run.#folder);
    if (resume && saved.length > 0) {
      assertSame(await run.#settings(), settings);
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
    if (!overwrite) await run.#assertNothingToLose();
    if (resume) context.note(`no checkpoint in ${run.#folder} yet: starts from the beginning`);
    await run.#removeCheckpoints();
    await mkdir(run.#folder, { recursive: true });
    await writeFile(join(run.#folder, SETTINGS), `${JSON.stringify(settings, undefined, 2)}\n`);
    return run;
  }

  /** The settings of the training that is there. @throws InputError for none, or a damaged file. */
  async #settings(): Promise<Record<string, unknown>> {
    const file = join(this.#folder, SETTINGS);
    try {
      const settings: unknown = JSON.parse(await readFile(file, "utf8"));
      if (typeof settings === "object" && settings !== null && "train" in settings)
        return settings as Record<string, unknown>;
    } catch (cause) {
      throw new InputError(
        `--resume: expected the settings of a training in ${file}, got ${(cause as Error).message}; start again with --overwrite`,
        { cause },
      );
    }
    throw new InputError(
      `--resume: expected the settings of a training in ${file}, got other JSON; choose another --out`,
    );
  }

  /** @throws InputError for a folder that holds more than the settings of a training that saved nothing. */
  async #assertNothingToLose(): Promise<void> {
    const names = await namesIn(this.#folder);
    const isOurs = names.includes(SETTINGS) && (await this.#settings().catch(() => undefined)) !== undefined;
    const others = names.filter((name) => !(isOurs && name === SETTINGS));
    if (others.length > 0)
      throw new InputError(
        `${this.#folder}: expected an empty folder or checkpoints that can be read, got ${others.slice(0, 3).join(", ")}; choose another --out, or start again with --overwrite, which deletes the checkpoints of earlier trainings`,
      );
  }

  /** Leaves what others have put there. */
  async #removeCheckpoints(): Promise<void> {
    for (const name of await namesIn(this.#folder))
      if (name === SETTINGS || CHECKPOINT.test(name))
        await rm(join(this.#folder, name), { recursive: true, force: true });
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
    await this.#removeCheckpoints();
    if ((await namesIn(this.#folder)).length === 0) await rmdir(this.#folder);
  }
}

/** Names of the files and folders in a folder; none where it is missing. */
async function namesIn(folder: string): Promise<string[]> {
  return (await isThere(folder)) ? readdir(folder) : [];
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
