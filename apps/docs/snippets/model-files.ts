import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ones, openModelFiles, readSafetensors, saveSafetensors, useDevice } from "@ai/tensor";

await useDevice("cpu");
const folder = await mkdtemp(join(tmpdir(), "tiny-"));
await writeFile(join(folder, "config.json"), JSON.stringify({ hidden_size: 2 }));
await saveSafetensors(join(folder, "model.safetensors"), { "layer.weight": ones([2, 2]) });

// "owner/name", a URL or a dropped folder work the same way
const files = await openModelFiles(folder);
const { hidden_size } = JSON.parse(await files.readText("config.json"));
const weights = await readSafetensors(await files.open("model.safetensors"));
console.log(
  (await files.list()).map(({ path }) => path),
  hidden_size,
  weights.names,
);
