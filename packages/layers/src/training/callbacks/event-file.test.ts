import { describe, expect, it } from "vitest";
import { memoryStorage, type TrainingStorage } from "../storage.js";
import { record, restartEvent, scalarEvent, versionEvent } from "./event-file.js";
import { TensorBoardWriter } from "./tensor-board.js";

const hex = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

// made by TensorBoard 2.20 in Python: Event(...).SerializeToString() and its RecordWriter
describe("event files are those of TensorBoard", () => {
  it("encodes events", () => {
    expect(hex(versionEvent(1.5))).toBe("09000000000000f83f1a0d627261696e2e4576656e743a32");
    expect(hex(scalarEvent(1.5, 300, [{ tag: "step/loss", value: 0.25 }]))).toBe(
      "09000000000000f83f10ac022a120a100a09737465702f6c6f7373150000803e",
    );
    expect(
      hex(
        scalarEvent(2, 1, [
          { tag: "a", value: Number.NaN },
          { tag: "ä", value: -1 },
        ]),
      ),
    ).toBe("09000000000000004010012a150a080a0161150000c07f0a090a02c3a415000080bf");
    expect(hex(restartEvent(1.5, 7))).toBe("09000000000000f83f10073a020801");
  });

  it("frames them as records", () => {
    expect(hex(record(versionEvent(1.5)))).toBe(
      "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c",
    );
  });

  it("begins each writer's own file with the version, and names files in order", async () => {
    const storage = memoryStorage();
    for (const step of [1, 2]) {
      const writer = new TensorBoardWriter("logs", { storage });
      await writer.flush();
      expect(await storage.list("logs")).toHaveLength(step - 1);
      writer.add(step, [{ tag: "loss", value: step }]);
      expect(writer.waitingBytes).toBeGreaterThan(0);
      await writer.flush();
      writer.add(step + 10, [{ tag: "loss", value: step }]);
      await writer.flush();
      expect(writer.waitingBytes).toBe(0);
    }
    const names = await storage.list("logs");
    expect(names).toHaveLength(2);
    expect(names[0]).toMatch(/^events\.out\.tfevents\.\d{10}\.training\.\d{4}$/);
    const file = await storage.read(`logs/${names[0]}`);
    expect(new TextDecoder().decode(file.subarray(12, 12 + 24))).toContain("brain.Event:2");
  });

  it("keeps what a full disk refused, and writes it to a new file", async () => {
    const storage = memoryStorage();
    let isFull = true;
    const disk: TrainingStorage = {
      ...storage,
      append: async (path, bytes) => {
        await storage.append(path, isFull ? bytes.subarray(0, 30) : bytes);
        if (isFull) throw new Error("ENOSPC");
      },
    };
    const writer = new TensorBoardWriter("logs", { storage: disk });
    writer.add(1, [{ tag: "loss", value: 1 }]);
    const waiting = writer.waitingBytes;
    await expect(writer.flush()).rejects.toThrow("ENOSPC");
    expect(writer.waitingBytes).toBe(waiting);
    isFull = false;
    await writer.flush();
    const [cut, whole] = await storage.list("logs");
    expect((await storage.read(`logs/${cut}`)).length).toBe(30);
    const version = record(versionEvent(1)).length;
    expect((await storage.read(`logs/${whole}`)).length).toBe(version + waiting);
  });
});
