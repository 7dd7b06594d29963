import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InputError } from "@ai/tensor";
import { afterEach, beforeEach, expect, it } from "vitest";
import { CommandContext } from "./command-context.js";
import { TrainingRun } from "./training-run.js";

let out: string;
let context: CommandContext;
beforeEach(async () => {
  out = await mkdtemp(join(tmpdir(), "training-run-"));
  context = new CommandContext({});
});
afterEach(async () => {
  context.dispose();
  await rm(out, { recursive: true, force: true });
});

const start = (options: { resume?: boolean; overwrite?: boolean } = {}) =>
  TrainingRun.start(context, {
    out,
    resume: false,
    overwrite: false,
    settings: { train: "classify", seed: 0 },
    ...options,
  });

async function put(files: Record<string, string>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const path = join(out, "checkpoints", name);
    await mkdir(join(path, ".."), { recursive: true });
    await writeFile(path, text);
  }
}
const names = async () => (await readdir(join(out, "checkpoints"))).sort();

it("leaves files that are not its own where they are, with --overwrite too", async () => {
  await put({ "epoch-9.ckpt": "weights of somebody", "step-5/notes.txt": "x" });
  for (const resume of [false, true]) {
    await expect(start({ resume })).rejects.toThrow(InputError);
    await expect(start({ resume })).rejects.toThrow(
      /checkpoints: expected an empty folder .*, got epoch-9.ckpt, step-5; choose another --out, or start again/,
    );
  }
  const run = await start({ overwrite: true });
  expect(await names()).toEqual(["epoch-9.ckpt", "settings.json", "step-5"]);
  await run.finish();
  expect(await names()).toEqual(["epoch-9.ckpt", "step-5"]);
  await rm(join(out, "checkpoints"), { recursive: true });
  await put({ "settings.json": '{"theme": "dark"}' });
  await expect(start()).rejects.toThrow(/got settings.json; choose another --out/);
});

it("keeps its own checkpoints that cannot be read until --overwrite, and starts again over none", async () => {
  const first = await start();
  await start(); // killed before it saved anything
  await put({ "step-0000000004-epoch-1/state.json": "{ cut", ".tmp-12-0-step-0000000008/state.json": "" });
  for (const options of [{}, { resume: true }])
    await expect(start(options)).rejects.toThrow(
      /checkpoints that can be read, got .*step-0000000004-epoch-1/,
    );
  await start({ overwrite: true });
  expect(await names()).toEqual(["settings.json"]);
  await first.finish();
  expect(await readdir(out)).toEqual([]);
});

it("says that the settings to go on with are damaged, missing or others", async () => {
  const state = JSON.stringify({ state: { step: 4, epoch: 1 }, files: {} });
  await put({ "step-0000000004-epoch-1/state.json": state });
  await expect(start({ resume: true })).rejects.toThrow(
    /--resume: .*settings.json, got ENOENT.*; start again/,
  );
  for (const [text, message] of [
    ['{"train": ', /^--resume: expected the settings of a training in .*settings.json, got .*; start again/],
    ["[]", /got other JSON; choose another --out/],
    ['{"train": "classify", "seed": 1}', /got seed 0 where it had 1/],
  ] as const) {
    await put({ "settings.json": text });
    await expect(start({ resume: true })).rejects.toThrow(message);
    await expect(start({ resume: true })).rejects.toThrow(InputError);
  }
});
