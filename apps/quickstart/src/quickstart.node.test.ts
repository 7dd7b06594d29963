import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memory, useDevice } from "@ai/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadDigits, parseIdx } from "./mnist.js";
import { runQuickstart } from "./quickstart.js";

describe("quickstart", () => {
  let out: string;
  beforeAll(async () => {
    out = await mkdtemp(join(tmpdir(), "quickstart-"));
    await useDevice("wasm");
  });
  afterAll(() => rm(out, { recursive: true }));

  const options = (signal = new AbortController().signal) => {
    const lines: string[] = [];
    return {
      lines,
      run: {
        device: "wasm" as const,
        images: 1000,
        testImages: 200,
        seed: 1,
        out,
        command: "test",
        signal,
        print: (text: string) => void lines.push(text),
      },
    };
  };

  it("learns, tells the time before, reloads, and writes weights, events, metrics and report", async () => {
    const before = memory().numTensors;
    const { lines, run } = options();
    await runQuickstart(run);
    expect(memory().numTensors).toBe(before);
    expect(lines[2]).toMatch(/^This will take about /);
    expect(lines.filter((line) => line.startsWith("The checkpoint was read back"))).toHaveLength(2);
    const metrics = JSON.parse(await readFile(join(out, "metrics.json"), "utf8"));
    expect(Object.keys(metrics)).toEqual(["cnn", "lstm"]);
    expect(metrics.cnn).toMatchObject({ images: 1000, device: "wasm", dataset: "MNIST", command: "test" });
    // ten digits: guessing gives 0.1; sixteen steps of the CNN give far more
    expect(metrics.cnn.testAccuracy).toBeGreaterThan(0.5);
    const report = await readFile(join(out, "report.html"), "utf8");
    expect(report).toContain("data:image/png;base64,");
    expect(report).toContain("Rows: the true digit");
    expect(report).not.toMatch(/(src|href)="?https?:|url\(https?:/); // needs no network
    for (const file of ["cnn.safetensors", "lstm.safetensors", "cnn/history.csv"])
      expect((await readFile(join(out, file))).length).toBeGreaterThan(50);
  });

  it("runs again into the same folder, with fewer pictures", async () => {
    const { lines, run } = options();
    await runQuickstart({ ...run, images: 128, testImages: 50 });
    expect(lines.filter((line) => line.startsWith("The checkpoint was read back"))).toHaveLength(2);
    expect(JSON.parse(await readFile(join(out, "metrics.json"), "utf8")).lstm.images).toBe(128);
  });

  it("stops when it is aborted, and leaves nothing", async () => {
    const before = memory().numTensors;
    const stop = new AbortController();
    const { run } = options(stop.signal);
    const stopped = runQuickstart({
      ...run,
      print: (text) => {
        if (text.startsWith("This will take")) stop.abort(new Error("enough"));
      },
    });
    await expect(stopped).rejects.toThrow("enough");
    expect(memory().numTensors).toBe(before);
  });
});

describe("MNIST files", () => {
  it("are read whole", async () => {
    const { count, labels, images } = await loadDigits("test");
    expect([count, images.length]).toEqual([10_000, 7_840_000]);
    expect([...labels.subarray(0, 5)]).toEqual([7, 2, 1, 0, 4]);
  });

  it("are refused when cut or of another kind", () => {
    expect(() => parseIdx(new Uint8Array(20), 0x803, 784)).toThrow(/IDX file/);
    expect(() => parseIdx(Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 3, 1, 2), 0x801, 1)).toThrow(/expected 3 items/);
  });
});
