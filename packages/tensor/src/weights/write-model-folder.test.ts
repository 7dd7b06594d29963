import { describe, expect, it } from "vitest";
import { type HostEntry, InputError, readSafetensors, writeModelFolder } from "../index.js";

const entry: HostEntry = { dtype: "float32", shape: [2], values: Float32Array.of(1, 2) };
const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);

describe("writeModelFolder", () => {
  it("gives config, weights, files and card", async () => {
    const files = await writeModelFolder(
      {
        config: { model_type: "bert", id2label: { 0: "no" }, layer_norm_eps: 1e-12 },
        tensors: { a: entry, b: entry },
        files: {
          "vocab.txt": "[PAD]\nö\n",
          "tokenizer/merges.bin": Uint8Array.of(0, 255),
          "tokenizer_config.json": { do_lower_case: true },
          "list.json": [1],
        },
        card: {
          title: "Toy",
          text: "Trained here.\n\n",
          license: "no",
          language: ["en", "de"],
          pipelineTag: "text-classification",
          baseModel: 'a/"b"',
        },
      },
      { maxShardBytes: 8, metadata: { note: "mine" } },
    );
    expect([...files.keys()]).toEqual([
      "config.json",
      "README.md",
      "vocab.txt",
      "tokenizer/merges.bin",
      "tokenizer_config.json",
      "list.json",
      "model-00001-of-00002.safetensors",
      "model-00002-of-00002.safetensors",
      "model.safetensors.index.json",
    ]);
    expect(text(files.get("config.json"))).toBe(
      '{\n  "model_type": "bert",\n  "id2label": {\n    "0": "no"\n  },\n  "layer_norm_eps": 1e-12\n}\n',
    );
    expect(text(files.get("README.md"))).toBe(
      '---\nlicense: "no"\nlanguage: ["en","de"]\npipeline_tag: "text-classification"\nbase_model: "a/\\"b\\""\n---\n\n# Toy\n\nTrained here.\n',
    );
    expect(text(files.get("vocab.txt"))).toBe("[PAD]\nö\n");
    expect(files.get("tokenizer/merges.bin")).toEqual(Uint8Array.of(0, 255));
    expect(text(files.get("list.json"))).toBe("[\n  1\n]\n");
    const shard = await readSafetensors(files.get("model-00002-of-00002.safetensors")!);
    expect(shard.metadata).toMatchObject({ format: "pt", note: "mine" });
    expect(await shard.host("b")).toEqual(entry);
  });

  it.each([
    ["../x", /got "\.\.\/x"/],
    ["/x", /got "\/x"/],
    ["config.json", /got "config.json"/],
    ["model.safetensors", /got "model.safetensors"/],
    ["model-00003-of-00009.safetensors", /got "model-00003/],
  ])("refuses the file %s", async (name, message) => {
    const writing = writeModelFolder({ config: {}, tensors: {}, files: { [name]: "" } });
    await expect(writing).rejects.toThrow(InputError);
    await expect(writing).rejects.toThrow(message);
  });

  it.each<[string, object, RegExp]>([
    [
      "infinity in JSON",
      { config: { a: [1, Number.POSITIVE_INFINITY] }, tensors: {} },
      /config\.json, got Infinity for "1"/,
    ],
    [
      "a typed array in JSON",
      { config: { a: new Float32Array(1) }, tensors: {} },
      /got Float32Array for "a"/,
    ],
    ["no config", { tensors: {} }, /config as an object, got undefined/],
    ["another field", { config: {}, tensors: {}, tokenizer: "" }, /one named tokenizer/],
    ["another field of the card", { config: {}, tensors: {}, card: { licence: "mit" } }, /one named licence/],
    [
      "a card's field that is no text",
      { config: {}, tensors: {}, card: { tags: [1] } },
      /text for tags of the card/,
    ],
    [
      "a file that is a number",
      { config: {}, tensors: {}, files: { a: 1 } },
      /an object for "a", got number/,
    ],
    ["a tensor that is none", { config: {}, tensors: { a: 1 } }, /host values or bytes for "a"/],
  ])("refuses %s", async (_, model, message) => {
    const writing = writeModelFolder(model as never);
    await expect(writing).rejects.toThrow(InputError);
    await expect(writing).rejects.toThrow(message);
  });

  it("stops at an abort", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(writeModelFolder({ config: {}, tensors: { a: entry } }, { signal })).rejects.toThrow(
      "enough",
    );
  });
});
