/**
 * `pnpm bench GROUP --json FILE`: times a group of workloads here and in other libraries, side by side in one run.
 * Engines live in processes of their own and take turns, round by round, so that a machine that slows down slows all.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { measureGroup } from "./harness/measure-group.mjs";
import { GROUPS } from "./workloads/index.mjs";

const count = (text) => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError("expected a whole number above 0");
  return value;
};
const list = (text) => text.split(",").filter((name) => name !== "");

/** Writes the files that workloads read, tells each the folder, and removes them in the end. */
async function withFiles(workloads, measure) {
  if (!workloads.some(({ files }) => files === "vision")) return await measure(workloads);
  const { writeVisionFiles } = await import("./workloads/vision-files.mjs");
  const { folder, remove } = await writeVisionFiles();
  try {
    return await measure(workloads.map((workload) => ({ ...workload, folder })));
  } finally {
    await remove();
  }
}

const program = new Command("pnpm bench")
  .argument("<group>", `one of ${Object.keys(GROUPS).join(", ")}`)
  .option("--json <file>", "write the rows there as JSON")
  .option("--rounds <count>", "rounds a workload", count, 9)
  .addOption(
    new Option("--device <name>", "our device").choices(["cpu", "wasm", "webgpu", "cuda"]).default("wasm"),
  )
  .option("--relaxed", "let our CPU engine use relaxed SIMD")
  .option("--peers <names>", "only these peers, separated by commas", list)
  .option("--workloads <names>", "only these workloads, separated by commas", list)
  .action(async (group, options) => {
    const workloads = GROUPS[group];
    if (workloads === undefined)
      program.error(`bench: expected one of ${Object.keys(GROUPS).join(", ")}, got ${group}`);
    const chosen = workloads.filter(({ name }) => options.workloads?.includes(name) ?? true);
    if (chosen.length === 0)
      program.error(
        `bench: no workload of ${group} has that name; there are ${workloads.map(({ name }) => name).join(", ")}`,
      );
    const rows = await withFiles(chosen, (workloads) => measureGroup(workloads, options));
    if (options.json === undefined) return;
    await mkdir(dirname(options.json), { recursive: true });
    await writeFile(options.json, `${JSON.stringify(rows, null, 2)}\n`);
    console.log(`${rows.length} rows written to ${options.json}`);
  });

await program.parseAsync(process.argv.filter((argument, index) => !(index === 2 && argument === "--")));
