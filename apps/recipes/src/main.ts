import { type DeviceName, describeDevice, InputError, isAiError, manualSeed, useDevice } from "@ai/tensor";
import { Argument, Command } from "commander";
import { RECIPES } from "./recipes.js";
import { formatTable } from "./table.js";

interface Flags {
  readonly device?: DeviceName;
  readonly images: number;
  readonly testImages: number;
  readonly epochs: number;
}

function integer(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InputError(`recipes: expected a positive integer, got ${text}`);
  return value;
}

async function main(): Promise<void> {
  const interrupt = new AbortController();
  process.once("SIGINT", () => interrupt.abort(new InputError("recipes: stopped from the keyboard")));
  const command = new Command("recipes")
    .description("Makes small models of large ones on handwritten digits and prints what it costs.")
    .addArgument(new Argument("<recipe>", "what to do").choices(Object.keys(RECIPES)))
    .option("--device <name>", "cpu, wasm, webgpu or cuda; the fastest one when left out")
    .option("--images <count>", "training pictures, of 60,000", integer, 2000)
    .option("--test-images <count>", "test pictures, of 10,000", integer, 1000)
    .option("--epochs <count>", "how often they are seen", integer, 2)
    .parse();
  const { device, ...options } = command.opts<Flags>();
  await useDevice(device);
  console.log(
    `On ${describeDevice().device} with ${describeDevice().threads} threads, ${options.images} pictures, ${options.epochs} epochs.\n`,
  );
  manualSeed(1);
  const recipe = RECIPES[command.args[0]];
  const rows = await recipe({ ...options, signal: interrupt.signal, print: console.log });
  console.log(formatTable(rows));
}

try {
  await main();
} catch (error) {
  if (!isAiError(error)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
