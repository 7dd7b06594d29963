import { describe, expect, it } from "vitest";
import { Newest } from "./newest.js";

describe("what was begun last", () => {
  it("counts, whichever ends first", async () => {
    const newest = new Newest();
    let end: (value: string) => void = () => undefined;
    const slow = newest.of(
      () =>
        new Promise<string>((resolve) => {
          end = resolve;
        }),
    );
    const broken = newest.of(() => Promise.reject(new Error("late")));
    expect(await newest.of(async () => "quick")).toBe("quick");
    end("slow");
    expect([await slow, await broken]).toEqual([undefined, undefined]);
    await expect(newest.of(() => Promise.reject(new Error("last")))).rejects.toThrow("last");
    const forgotten = newest.of(async () => 1);
    newest.forget();
    expect(await forgotten).toBeUndefined();
  });
});
