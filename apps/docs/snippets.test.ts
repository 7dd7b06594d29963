import { readdir, readFile } from "node:fs/promises";
import { formatWithOptions } from "node:util";
import { afterEach, describe, expect, it, vi } from "vitest";

const folder = new URL("snippets/", import.meta.url);
const snippets = (await readdir(folder)).filter((name) => name.endsWith(".ts"));

describe("code of the pages", () => {
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

  it("is all on a page", async () => {
    const names = (await readdir(new URL("./", import.meta.url))).filter((name) => name.endsWith(".md"));
    const pages = await Promise.all(names.map((name) => readFile(new URL(name, import.meta.url), "utf8")));
    for (const name of snippets) expect(pages.join("\n")).toContain(`<<< ./snippets/${name}\n`);
  });
});
