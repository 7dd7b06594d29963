import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { type DeviceName, InputError, isAiError } from "@ai/tensor";
import { Command } from "commander";
import { runQuickstart } from "./quickstart.js";

interface Flags {
  readonly device?: DeviceName;
  readonly images?: number;
  readonly testImages?: number;
  readonly seed: number;
  readonly out: string;
}

function integer(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InputError(`quickstart: expected a positive integer, got ${text}`);
  return value;
}

async function main(): Promise<void> {
  const repository = fileURLToPath(new URL("../../../", import.meta.url));
  const interrupt = new AbortController();
  process.once("SIGINT", () => interrupt.abort(new InputError("quickstart: stopped from the keyboard")));
  const flags = new Command("quickstart")
    .description("Trains two networks that read handwritten digits (MNIST) and writes a report.")
    .option("--device <name>", "cpu, wasm, webgpu or cuda; the fastest one when left out")
    .option("--images <count>", "training pictures to use, of 60,000", integer)
    .option("--test-images <count>", "test pictures to use, of 10,000", integer)
    .option("--seed <number>", "where all random numbers come from", integer, 1)
    .option("--out <folder>", "where to write", join(repository, "runs", "quickstart"))
    .parse()
    .opts<Flags>();
  const given = process.argv.slice(2);
  await runQuickstart({
    ...flags,
    command: given.length === 0 ? "npm start" : `npm start -- ${given.join(" ")}`,
    signal: interrupt.signal,
    print: console.log,
  });
  // package managers start it in its own folder; INIT_CWD is where the user stands
  const here = (path: string): string => relative(process.env.INIT_CWD ?? process.cwd(), path) || ".";
  console.log(`\nWeights, TensorBoard events, metrics.json and the report are in ${here(flags.out)}.`);
  console.log(
    `Open ${here(join(flags.out, "report.html"))} in a browser to see the curves and the worst mistakes.`,
  );
}

try {
  await main();
} catch (error) {
  if (!isAiError(error)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
