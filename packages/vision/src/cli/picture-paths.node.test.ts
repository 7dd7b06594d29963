import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InputError } from "@ai/tensor";
import { afterAll, beforeAll, expect, it } from "vitest";
import { drawingPaths } from "./picture-paths.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "picture-paths-"));
  await mkdir(join(folder, "shots"));
  for (const name of ["a.png", "a.jpg", "b.jpg"]) await writeFile(join(folder, "shots", name), "");
  await symlink(join(folder, "shots"), join(folder, "linked"), "junction");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it("puts no drawing in the place of a picture that is read, by whatever path it is given", async () => {
  const shots = (...names: string[]) => names.map((name) => join(folder, "shots", name));
  for (const [pictures, out] of [
    [shots("a.png"), join(folder, "shots", "a.png")],
    [shots("a.png"), join(folder, "linked", "a.png")],
    [shots("a.jpg", "a.png"), join(folder, "shots")],
    [[join(folder, "linked", "a.png"), ...shots("b.jpg")], join(folder, "linked", "..", "shots")],
  ] as const) {
    await expect(drawingPaths(pictures, out)).rejects.toThrow(InputError);
    await expect(drawingPaths(pictures, out)).rejects.toThrow(
      /^--out: expected another place .* would replace .*a.png; choose another folder or file$/,
    );
  }
  expect(
    await drawingPaths([...shots("a.jpg", "a.png"), "https://host/a.png"], join(folder, "drawn")),
  ).toEqual(["a.png", "a-2.png", "a-3.png"].map((name) => join(folder, "drawn", name)));
  // a drawing of an earlier run may be replaced, a picture that is not asked about too
  expect(await drawingPaths(shots("b.jpg"), join(folder, "shots", "a.png"))).toHaveLength(1);
});
