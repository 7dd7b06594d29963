import { describe, expect, it } from "vitest";
import { InputError, openModelFiles } from "../index.js";

const isNode = typeof globalThis.process?.versions?.node === "string";

describe("openModelFiles", () => {
  it("refuses options that would be ignored, and what is no model", async () => {
    await expect(openModelFiles("https://x.invalid/m", { revision: "main" })).rejects.toThrow(
      /revision with a repository/,
    );
    await expect(openModelFiles("a/b", { offLine: true } as never)).rejects.toThrow(/offLine/);
    await expect(openModelFiles("a/b", { endpoint: "ftp://x" })).rejects.toThrow(/http or https/);
    await expect(openModelFiles("a/b", { cache: (isNode ? "opfs" : "disk") as never })).rejects.toThrow(
      /expected cache as one of/,
    );
    await expect(openModelFiles(3 as never)).rejects.toThrow(InputError);
  });

  it("reads chosen files, a chosen folder and files by path", async () => {
    const file = new File(["{}"], "config.json");
    const inFolder = new File(["xyz"], "m.bin");
    Object.defineProperty(inFolder, "webkitRelativePath", { value: "tiny/sub/m.bin" });
    expect(await (await openModelFiles(file)).readText("config.json")).toBe("{}");
    const chosen = await openModelFiles([inFolder]);
    expect(chosen.name).toBe("tiny");
    expect(await chosen.list()).toEqual([{ path: "sub/m.bin", sizeBytes: 3 }]);
    const source = await chosen.open("sub/m.bin");
    expect(await source.read(1, 3)).toEqual(new TextEncoder().encode("yz"));
    const named = await openModelFiles(
      new Map([
        ["a/x", new Uint8Array([1, 2])],
        ["a/y", new Uint8Array([3])],
      ]),
    );
    expect(await (await (await named.open("a/x")).sibling!("y")).read(0, 1)).toEqual(Uint8Array.of(3));
    await expect(named.open("b")).rejects.toThrow(/there are a\/x, a\/y/);
    await expect(openModelFiles(new Map([["../x", new Uint8Array(1)]]))).rejects.toThrow(InputError);
    await expect(openModelFiles([file, file])).rejects.toThrow(/twice/);
    await expect(openModelFiles([3] as never)).rejects.toThrow(/list of File/);
  });
});
