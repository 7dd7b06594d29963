import type { TaskLoadOptions, TaskProgress } from "@ai/layers/tasks";
import { type DeviceDescription, type DeviceName, InputError, useDevice } from "@ai/tensor";
import { type CommonFlags, given } from "./common-options.js";
import { Interruption } from "./interruption.js";
import { ProgressLine } from "./progress-line.js";

/** What every command works with. */
export class CommandContext {
  readonly interruption: Interruption;
  readonly progress = new ProgressLine();
  readonly #flags: CommonFlags;

  constructor(flags: CommonFlags) {
    const { threads, device = threads === undefined ? undefined : "wasm" } = flags;
    if (threads !== undefined && device !== "wasm")
      throw new InputError(
        `--threads: expected it with the device wasm, got it with ${device}; leave it out`,
      );
    this.#flags = { ...flags, ...given({ device }) };
    this.interruption = new Interruption((text) => this.note(text));
  }

  get signal(): AbortSignal {
    return this.interruption.signal;
  }

  /** A line for people, beside the result. */
  note(text: string): void {
    this.progress.clear();
    process.stderr.write(`${text}\n`);
  }

  /** The result: JSON with `--json`, else text. */
  result(value: unknown, text: () => string): void {
    this.progress.clear();
    process.stdout.write(`${this.#flags.json ? JSON.stringify(value, undefined, 2) : text()}\n`);
  }

  /** The whole of what {@link CommandContext.print} showed in parts, for `--json`. */
  finish(value: unknown): void {
    this.progress.clear();
    if (this.#flags.json) process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
  }

  /** A part of the result that is shown as soon as it is known; nothing with `--json`. */
  print(text: string): void {
    this.progress.clear();
    if (!this.#flags.json) process.stdout.write(`${text}\n`);
  }

  /** Shows how far a part of the work is. */
  count(title: string): (progress: { readonly done: number; readonly total: number }) => void {
    return ({ done, total }) => this.progress.show(title, { done, total, note: `${done}/${total}` });
  }

  /** Starts the device that was asked for, and says which it is. */
  async useDevice(): Promise<DeviceDescription> {
    const { device, threads } = this.#flags;
    const used = await useDevice(device as DeviceName | undefined, given({ threads }));
    this.note(describe(used));
    return used;
  }

  /** Options of loading a task. */
  get loadOptions(): TaskLoadOptions {
    const { device, threads } = this.#flags;
    return {
      ...given({ device: device as DeviceName | undefined }),
      deviceOptions: given({ threads }),
      signal: this.signal,
      onProgress: (progress) => this.#onLoading(progress),
    };
  }

  #onLoading({ phase, message, file, done, total }: TaskProgress): void {
    if (phase === "device") return;
    const bytes = (count: number): string => `${(count / 1e6).toFixed(1)} MB`;
    if (phase === "download" && file !== undefined)
      this.progress.show(`download ${file}`, {
        done,
        ...given({ total }),
        note: total === undefined ? bytes(done) : `${bytes(done)} of ${bytes(total)}`,
      });
    else this.progress.show(message, { done, ...given({ total }) });
  }

  dispose(): void {
    this.progress.clear();
    this.interruption.dispose();
  }
}

/** A device in a line. */
function describe({ device, hardware, threads, reason }: DeviceDescription): string {
  return `device: ${device} (${hardware}, ${threads} thread${threads === 1 ? "" : "s"}): ${reason}`;
}

/** A command's action on one argument: its context is there while it runs. */
export function inContext<Argument, Flags extends CommonFlags>(
  run: (context: CommandContext, argument: Argument, flags: Flags) => Promise<void>,
): (argument: Argument, flags: Flags) => Promise<void> {
  return async (argument, flags) => {
    const context = new CommandContext(flags);
    try {
      await run(context, argument, flags);
    } finally {
      context.dispose();
    }
  };
}
