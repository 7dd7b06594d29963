import { readFile } from "node:fs/promises";
import { InputError } from "@ai/tensor";
import type { Command } from "commander";
import { visionModels } from "../tasks/own-models.js";
import { given } from "./common-options.js";

/** Options of commands that load a model. */
export interface ModelFlags {
  readonly labels?: string;
  readonly config?: string;
  readonly weightsFile?: string;
  readonly revision?: string;
}

/** What a model of some tasks may be, for the help. */
export function modelHelp(...tasks: readonly string[]): string {
  const names = Object.keys(visionModels).filter((name) =>
    visionModels[name].tasks.some((task) => tasks.includes(task)),
  );
  const own = names.length === 0 ? "" : `${names.join(" or ")} (ours), `;
  return `${own}a folder, a file of weights, a URL or a Hugging Face repository (owner/name)`;
}

/** Adds the option that names the classes of a model without names. */
export function withLabelOption(command: Command): Command {
  return command.option(
    "--labels <file>",
    "a text file with the names of the classes, one a line, for weights without them",
  );
}

/** Adds the options of commands that load a model. */
export function withModelOptions(command: Command): Command {
  return command
    .option("--config <file>", "a JSON file whose fields stand over those of config.json")
    .option("--weights-file <name>", "the file of the weights, where it is not called as usual")
    .option("--revision <name>", "branch, tag or commit of a repository");
}

async function textOf(option: string, path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new InputError(`${option}: expected a file that can be read, got ${(error as Error).message}`);
  }
}

/** Options of loading a task, from the command line's. */
export async function modelOptions({ labels, config, weightsFile, revision }: ModelFlags): Promise<{
  readonly labels?: readonly string[];
  readonly config?: Readonly<Record<string, unknown>>;
  readonly weightsFile?: string;
  readonly revision?: string;
}> {
  return {
    ...(labels === undefined
      ? {}
      : { labels: (await textOf("--labels", labels)).replace(/\r?\n$/, "").split(/\r?\n/) }),
    ...(config === undefined ? {} : { config: parse(await textOf("--config", config), config) }),
    ...given({ weightsFile, revision }),
  };
}

function parse(text: string, path: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return value as Readonly<Record<string, unknown>>;
  } catch {
    // said below
  }
  throw new InputError(`--config: expected a JSON object, got something else in ${path}`);
}
