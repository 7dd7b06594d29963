import { assertOptions } from "../arguments.js";
import { WeightsError } from "../errors.js";
import type { ByteSource } from "./byte-source.js";
import { openCTranslate2 } from "./ctranslate2/read-ctranslate2.js";
import { openGguf } from "./gguf/read-gguf.js";
import { openLlama2c, parseLlama2cHeader } from "./llama2c/read-llama2c.js";
import { isNpy } from "./numpy/header.js";
import { openNpy, openNpz } from "./numpy/read-numpy.js";
import { openOnnx } from "./onnx/read-onnx.js";
import { readSafetensors } from "./read-safetensors.js";
import { readShardIndex } from "./shard-index.js";
import { openSource, type WeightsSource } from "./sources.js";
import { openTorch } from "./torch/read-torch.js";
import { type LazyEntry, LazyWeights, type ReadOptions, type WeightsFile } from "./weights-file.js";
import { ZipArchive } from "./zip/archive.js";

/** Formats that {@link readWeights} knows. */
type WeightsFormat = "safetensors" | "gguf" | "torch" | "npy" | "npz" | "ctranslate2" | "llama2c" | "onnx";

const FRONT_BYTES = 64;
/** Newer ones have version 6; beyond 255 a file would be something else. */
const MOST_CTRANSLATE2_VERSION = 255;

/** Which format bytes are, by their content alone. */
async function formatOf(source: ByteSource, signal: AbortSignal | undefined): Promise<WeightsFormat> {
  const front = await source.read(0, Math.min(FRONT_BYTES, source.size), signal);
  const text = String.fromCharCode(...front.subarray(0, 9));
  if (text.startsWith("GGUF")) return "gguf";
  if (text.startsWith("PK")) {
    const { entries } = await ZipArchive.open(source, signal);
    return [...entries.keys()].some((name) => /(?:^|\/)data\.pkl$/.test(name)) ? "torch" : "npz";
  }
  if (front[0] === 0x80 && front[1] >= 2 && front[1] <= 5) return "torch";
  if (isNpy(front)) return "npy";
  if (text[8] === "{") return "safetensors";
  if (parseLlama2cHeader(front, source.size) !== undefined) return "llama2c";
  if (front.length >= 8) {
    const version = new DataView(front.buffer, front.byteOffset, front.byteLength).getUint32(0, true);
    if (version >= 1 && version <= MOST_CTRANSLATE2_VERSION) return "ctranslate2";
  }
  // the version, as protobuf writes a small number in field 1
  if (front[0] === 0x08 && front[1] >= 1 && front[1] < 0x80) return "onnx";
  throw new WeightsError(
    `${source.name}: expected safetensors, a PyTorch checkpoint, npy, npz, ONNX, GGUF, CTranslate2's model.bin or llama2.c, got bytes that begin with ${[...front.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ") || "nothing"}`,
  );
}

async function open(source: ByteSource, options: ReadOptions): Promise<WeightsFile> {
  switch (await formatOf(source, options.signal)) {
    case "safetensors":
      return readSafetensors(source, options);
    case "gguf":
      return openGguf(source, options);
    case "torch":
      return openTorch(source, options);
    case "npy":
      return openNpy(source, options);
    case "npz":
      return openNpz(source, options);
    case "ctranslate2":
      return openCTranslate2(source, options);
    case "llama2c":
      return openLlama2c(source, options);
    case "onnx":
      return openOnnx(source, options);
  }
}

/** The files beside an index (`pytorch_model.bin.index.json`) as one. */
async function openShards(index: ByteSource, options: ReadOptions): Promise<WeightsFile> {
  const entries = new Map<string, LazyEntry>();
  for (const [file, names] of await readShardIndex(index, options.signal)) {
    const shard = await open(await index.sibling!(file, options.signal), options);
    const listed = new Set(names);
    const absent = names.find((name) => !shard.has(name));
    const extra = shard.names.find((name) => !listed.has(name));
    if (absent !== undefined || extra !== undefined)
      throw new WeightsError(
        `${index.name}: expected the tensors of ${JSON.stringify(file)}, got ${JSON.stringify(absent ?? extra)}, which is ${absent === undefined ? "not in the index" : "not in the file"}`,
      );
    for (const name of names)
      entries.set(name, {
        ...shard.info(name),
        where: `${file}: tensor ${JSON.stringify(name)}`,
        load: (signal) => shard.host(name, signal === undefined ? {} : { signal }),
      });
  }
  return new LazyWeights(index.name, entries);
}

/**
 * Opens weights of any format that this package reads; the content says which, not the name: safetensors, PyTorch
 * checkpoints (`.pt`, `.pth`, `.bin`), NumPy (`.npy`, `.npz`), ONNX initializers, GGUF, CTranslate2's `model.bin`, llama2.c.
 * Each tensor is read when asked for. A file whose name ends in `.index.json` is the index of a model in several files
 * beside it. The formats' own functions ({@link readTorch} …) give more, such as metadata.
 * @param source A path (Node), an `http(s)` or `file` URL, a `Blob` or `File`, bytes, or a file of `openModelFiles`.
 * @throws WeightsError for a damaged file and an unknown format, DownloadError when a server does not give it.
 * @example
 * const weights = await readWeights("resnet18.pth");
 * const kernel = await weights.tensor("conv1.weight");
 */
export async function readWeights(source: WeightsSource, options: ReadOptions = {}): Promise<WeightsFile> {
  assertOptions("readWeights", options, ["signal"]);
  const opened = await openSource(source, options.signal);
  const isIndex = opened.sibling !== undefined && opened.name.endsWith(".index.json");
  if (!isIndex) return open(opened, options);
  return opened.name.endsWith(".safetensors.index.json")
    ? readSafetensors(opened, options)
    : openShards(opened, options);
}
