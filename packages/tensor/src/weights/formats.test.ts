import { describe, expect, it } from "vitest";
import {
  type HostEntry,
  readCTranslate2,
  readLlama2c,
  readNumpy,
  readOnnx,
  readSafetensors,
  readTorch,
  readWeights,
  WeightsError,
  type WeightsFile,
} from "../index.js";
import { describeEachDevice, expectNoLeak } from "../testing/index.js";
import { openSource } from "./sources.js";

const fixtureUrl = (file: string): URL => new URL(`../../fixtures/weights/${file}`, import.meta.url);

async function bytesOf(file: string): Promise<Uint8Array> {
  const source = await openSource(fixtureUrl(file));
  return source.read(0, source.size);
}

/** Names whose dtype is refused when they are read. */
const REFUSED: Readonly<Record<string, readonly string[]>> = {
  "complex.pt": ["complex64"],
  "types.onnx": ["complex", "text"],
};

async function expectAll(file: string, weights: WeightsFile): Promise<void> {
  const expected = await readSafetensors(fixtureUrl("expected.safetensors"));
  const names = expected.names.filter((name) => name.startsWith(`${file}/`));
  expect([...weights.names].sort()).toEqual(
    [...names.map((name) => name.slice(file.length + 1)), ...(REFUSED[file] ?? [])].sort(),
  );
  for (const name of names) {
    const inFile = name.slice(file.length + 1);
    const wanted = await expected.host(name);
    const got: HostEntry = await weights.host(inFile);
    expect(got, name).toEqual(wanted);
    expect(weights.info(inFile).shape, name).toEqual(wanted.shape);
  }
}

describe("readers equal the libraries that wrote the files", () => {
  it.each([
    "zip-protocol-2.pt",
    "zip-protocol-3.pt",
    "zip-protocol-4.pt",
    "zip-protocol-5.pt",
    "legacy.pt",
    "legacy-protocol-4.pt",
    "complex.pt",
    "training.pt",
    "without-checksums.pt",
    "tiny.pt",
    "tiny-legacy.pt",
  ])("readTorch: %s", async (file) => {
    await expectAll(file, await readTorch(fixtureUrl(file)));
  });

  it.each(["stored.npz", "deflated.npz", "matrix.npy"])("readNumpy: %s", async (file) => {
    await expectAll(file, await readNumpy(fixtureUrl(file)));
  });

  it.each(["types.onnx", "external.onnx"])("readOnnx: %s", async (file) => {
    await expectAll(file, await readOnnx(fixtureUrl(file)));
  });

  it.each(["float32", "int8", "int8_float16", "int16", "float16", "bfloat16"])(
    "readCTranslate2: %s",
    async (kind) => {
      const file = `ctranslate2-${kind}.bin`;
      const model = await readCTranslate2(fixtureUrl(file));
      await expectAll(file, model);
      expect(model.metadata).toMatchObject({ binaryVersion: 6, spec: "TinySpec", revision: 3 });
      expect(model.metadata.aliases.get("same/weight")).toBe("linear/weight");
      expect(model.info("linear/weight").dtype).toBe(kind.replace("_float16", ""));
    },
  );

  it.each(["tied", "untied"])("readLlama2c: %s", async (kind) => {
    const file = `llama2c-${kind}.bin`;
    const model = await readLlama2c(fixtureUrl(file));
    await expectAll(file, model);
    expect(model.config).toEqual({
      hiddenSize: 8,
      intermediateSize: 6,
      numHiddenLayers: 2,
      numAttentionHeads: 2,
      numKeyValueHeads: 1,
      vocabSize: 5,
      maxPositionEmbeddings: 3,
      tieWordEmbeddings: kind === "tied",
    });
  });

  it.each([
    "zip-protocol-5.pt",
    "legacy.pt",
    "stored.npz",
    "matrix.npy",
    "types.onnx",
    "ctranslate2-int8.bin",
    "llama2c-tied.bin",
  ])("readWeights knows %s by its bytes", async (file) => {
    if (file !== "matrix.npy") return expectAll(file, await readWeights(await bytesOf(file)));
    expect((await readWeights(await bytesOf(file))).names).toEqual(["array"]);
  });
});

describe("readTorch", () => {
  it("gives what stands beside the tensors, and what lies under a key", async () => {
    const whole = await readTorch(fixtureUrl("training.pt"));
    expect(Object.fromEntries([...whole.values].filter(([name]) => !name.startsWith("optimizer")))).toEqual({
      epoch: 7,
      best: 0.5,
      name: "tiny",
      done: false,
      nothing: null,
      large: 2n ** 60n,
      "history.0": 1,
      "history.1.0": 2,
      device: "cpu",
      "shape.0": 2,
      "shape.1": 3,
    });
    expect(whole.values.get("optimizer.param_groups.0.lr")).toBe(0.001);
    const inner = await readTorch(fixtureUrl("training.pt"), { key: "state_dict" });
    expect(inner.names).toContain("0.weight");
    const deep = await readTorch(fixtureUrl("training.pt"), { key: "optimizer.state.0" });
    expect(deep.names).toEqual(["step", "exp_avg", "exp_avg_sq"]);
    await expect(readTorch(fixtureUrl("training.pt"), { key: "model" })).rejects.toThrow(
      /expected the key "model" in the checkpoint, got the keys epoch, best/,
    );
    await expect(readTorch(fixtureUrl("training.pt"), { keys: "x" } as never)).rejects.toThrow(
      /expected options \{ key, signal \}, got one named keys/,
    );
  });

  it("names a tensor __proto__ without touching a prototype", async () => {
    const weights = await readTorch(fixtureUrl("legacy.pt"));
    expect((await weights.host("__proto__")).values).toEqual(Int32Array.of(7));
    expect(({} as { large?: unknown }).large).toBe(undefined);
  });

  it.each(["runs.pt", "runs-legacy.pt"])(
    "refuses os.system in %s by its name, and runs nothing",
    async (file) => {
      await expect(readTorch(fixtureUrl(file))).rejects.toThrow(
        /the name "posix\.system", which is refused.*nothing was run/,
      );
      await expect(readTorch(fixtureUrl(file))).rejects.toThrow(WeightsError);
    },
  );

  it("refuses a whole model by the class that it would need", async () => {
    await expect(readTorch(fixtureUrl("whole-model.pt"))).rejects.toThrow(
      /"torch\.nn\.modules\.container\.Sequential", which is refused.*save model\.state_dict\(\)/,
    );
  });

  it("keeps int64 exact on the host and refuses it as a tensor where it does not fit", async () => {
    const weights = await readTorch(fixtureUrl("zip-protocol-2.pt"));
    expect((await weights.host("large")).values).toEqual(
      BigInt64Array.of(2n ** 62n, -(2n ** 62n), 2n ** 31n),
    );
    await expect(weights.tensor("large")).rejects.toThrow(
      /tensor "large" in ".*" at offset \d+: expected int64 values that fit int32, got 4611686018427387904/,
    );
    const complex = await readTorch(fixtureUrl("complex.pt"));
    expect(complex.info("complex64")).toEqual({ dtype: "torch.complex64", shape: [2] });
    await expect(complex.host("complex64")).rejects.toThrow(/got torch\.complex64, which is not supported/);
  });

  it("reads no more of an archive than the tensor that is asked for", async () => {
    const bytes = await bytesOf("zip-protocol-5.pt");
    let count = 0;
    const source = {
      name: "counted.pt",
      size: bytes.length,
      async read(start: number, end: number) {
        count += end - start;
        return bytes.slice(start, end);
      },
    };
    const weights = await readTorch(source);
    count = 0;
    await weights.host("part");
    expect(count).toBe(30 + 6 * 4); // the member's header, and the 6 values of the view
  });
});

describe("readNumpy", () => {
  it("refuses objects, text, complex and structured numbers when they are read, by name", async () => {
    const weights = await readNumpy(fixtureUrl("objects.npz"));
    expect((await weights.host("good")).values).toEqual(Float32Array.of(1, 1));
    await expect(weights.host("objects")).rejects.toThrow(
      /array "objects" at offset \d+: expected numbers that tensors have, got \|O, .* Python objects are a pickle/,
    );
    await expect(weights.host("text")).rejects.toThrow(/got <U1, which is not supported/);
    await expect(weights.host("complex")).rejects.toThrow(/got <c8/);
    await expect(weights.host("mixed")).rejects.toThrow(/got \[\('a', '<f4'\), \('b', '<i4'\)\]/);
  });
});

describe("readOnnx", () => {
  it("refuses what has no tensor when it is read, and external data without a folder", async () => {
    const weights = await readOnnx(fixtureUrl("types.onnx"));
    await expect(weights.host("complex")).rejects.toThrow(/tensor "complex" at offset \d+: .*got COMPLEX64/);
    await expect(weights.host("text")).rejects.toThrow(/got STRING/);
    const alone = await readOnnx(await bytesOf("external.onnx"));
    await expect(alone.host("w3")).rejects.toThrow(
      /since the values lie in "external.data", got a single file/,
    );
  });
});

describeEachDevice("readWeights", () => {
  it("makes tensors without a leak and stops at an abort", async () => {
    for (const file of [
      "zip-protocol-2.pt",
      "stored.npz",
      "types.onnx",
      "ctranslate2-int8.bin",
      "llama2c-tied.bin",
    ]) {
      const bytes = await bytesOf(file);
      await expectNoLeak(async () => {
        const weights = await readWeights(bytes);
        const [name] = weights.names;
        const tensor = await weights.tensor(name);
        await expect(tensor).toBeCloseToTensor(
          (await weights.host(name)) as HostEntry & { dtype: "float32" },
        );
        tensor.dispose();
      });
      const signal = AbortSignal.abort(new Error("enough"));
      await expect(readWeights(bytes, { signal })).rejects.toThrow("enough");
      const opened = await readWeights(bytes);
      await expect(opened.tensors({ signal })).rejects.toThrow("enough");
    }
  });

  it("refuses a format that it does not know", async () => {
    await expect(readWeights(Uint8Array.of(1, 2))).rejects.toThrow(/got bytes that begin with 01 02/);
    await expect(readWeights(new Uint8Array(0))).rejects.toThrow(/begin with nothing/);
    await expect(readWeights(new Uint8Array(8), { key: "x" } as never)).rejects.toThrow(/got one named key/);
  });
});
