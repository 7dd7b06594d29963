import { readdir, readFile } from "node:fs/promises";
import { formatWithOptions } from "node:util";
import { afterEach, describe, expect, it, vi } from "vitest";

const folder = new URL("snippets/", import.meta.url);
const snippets = (await readdir(folder)).filter((name) => name.endsWith(".ts"));

describe("code of the first steps", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it.each(snippets)("%s prints what the page says", async (name) => {
    const lines: string[] = [];
    vi.spyOn(console, "log").mockImplementation((...values) => {
      lines.push(formatWithOptions({ colors: false }, ...values));
    });
    await import(`./snippets/${name.replace(/\.ts$/, "")}.ts`);
    expect(`${lines.join("\n")}\n`).toBe(
      await readFile(new URL(name.replace(/\.ts$/, ".output.txt"), folder), "utf8"),
    );
  });

  it("are all on the page", async () => {
    const page = await readFile(new URL("first-steps.md", import.meta.url), "utf8");
    for (const name of snippets) expect(page).toContain(`<<< ./snippets/${name}\n`);
  });
});
