import { assertOptions } from "../../arguments.js";
import { WeightsError } from "../../errors.js";
import type { ByteSource } from "../byte-source.js";
import { decode, type HostEntry } from "../dtypes.js";
import { openSource, type WeightsSource } from "../sources.js";
import { type LazyEntry, LazyWeights, type ReadOptions } from "../weights-file.js";

/** Sizes of a model of llama2.c, under the names of Hugging Face's `LlamaConfig`. */
export interface Llama2cConfig {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  readonly vocabSize: number;
  readonly maxPositionEmbeddings: number;
  readonly tieWordEmbeddings: boolean;
}

/** An opened model of llama2.c. */
export class Llama2cFile extends LazyWeights {
  readonly config: Llama2cConfig;

  /** @internal Use {@link readLlama2c}. */
  constructor(file: string, entries: ReadonlyMap<string, LazyEntry>, config: Llama2cConfig) {
    super(file, entries);
    this.config = config;
  }
}

/** Seven integers of 32 bits. */
export const LLAMA2C_HEADER_BYTES = 28;
/** First bytes of the later versions of the format, "ak42". */
const LATER_MAGIC = 0x616b3432;
const MOST_LAYERS = 10_000;

/** One kind of tensor in the order of the file; those of the layers lie one layer after the other. */
interface Part {
  readonly name: string;
  readonly shape: readonly number[];
  readonly isOfLayers: boolean;
  /** Heads whose rows are stored as pairs (a, b) and come out as all a, then all b. */
  readonly heads?: number;
}

function partsOf(config: Llama2cConfig): (Part | { readonly unused: number })[] {
  const { hiddenSize: dim, intermediateSize: hidden, vocabSize: vocab } = config;
  const { numAttentionHeads: heads, numKeyValueHeads: groups } = config;
  const headDim = dim / heads;
  const keys = groups * headDim;
  const layer = (name: string, shape: readonly number[], rotated?: number): Part => ({
    name,
    shape,
    isOfLayers: true,
    ...(rotated === undefined ? {} : { heads: rotated }),
  });
  const whole = (name: string, shape: readonly number[]): Part => ({ name, shape, isOfLayers: false });
  return [
    whole("model.embed_tokens.weight", [vocab, dim]),
    layer("input_layernorm.weight", [dim]),
    layer("self_attn.q_proj.weight", [dim, dim], heads),
    layer("self_attn.k_proj.weight", [keys, dim], groups),
    layer("self_attn.v_proj.weight", [keys, dim]),
    layer("self_attn.o_proj.weight", [dim, dim]),
    layer("post_attention_layernorm.weight", [dim]),
    layer("mlp.gate_proj.weight", [hidden, dim]),
    layer("mlp.down_proj.weight", [dim, hidden]),
    layer("mlp.up_proj.weight", [hidden, dim]),
    whole("model.norm.weight", [dim]),
    // tables of cosines and sines, which are computed now
    { unused: config.maxPositionEmbeddings * headDim },
    ...(config.tieWordEmbeddings ? [] : [whole("lm_head.weight", [vocab, dim])]),
  ];
}

/** Reads the header. @returns undefined when the file is none of llama2.c; then `problem` is told why. */
export function parseLlama2cHeader(
  bytes: Uint8Array,
  size: number,
  problem: (text: string) => void = () => {},
): Llama2cConfig | undefined {
  if (bytes.length < LLAMA2C_HEADER_BYTES) {
    problem(`${size} bytes`);
    return undefined;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [dim, hidden, layers, heads, groups, vocab, length] = Array.from({ length: 7 }, (_, index) =>
    view.getInt32(4 * index, true),
  );
  if (dim === LATER_MAGIC) {
    problem("a later version (ak42), which is not supported; export the model with version 0");
    return undefined;
  }
  const isPossible =
    [dim, hidden, layers, heads, groups, length].every((value) => value > 0) &&
    vocab !== 0 &&
    layers <= MOST_LAYERS &&
    heads <= dim &&
    dim % heads === 0 &&
    (dim / heads) % 2 === 0 &&
    heads % groups === 0;
  if (!isPossible) {
    problem(`the sizes ${[dim, hidden, layers, heads, groups, vocab, length].join(", ")}`);
    return undefined;
  }
  const config: Llama2cConfig = {
    hiddenSize: dim,
    intermediateSize: hidden,
    numHiddenLayers: layers,
    numAttentionHeads: heads,
    numKeyValueHeads: groups,
    vocabSize: Math.abs(vocab),
    maxPositionEmbeddings: length,
    // a negative vocabulary says that the classifier has weights of its own
    tieWordEmbeddings: vocab > 0,
  };
  let expected = BigInt(LLAMA2C_HEADER_BYTES);
  for (const part of partsOf(config)) {
    if ("unused" in part) expected += 4n * BigInt(part.unused);
    else
      expected +=
        4n *
        part.shape.reduce((product, count) => product * BigInt(count), 1n) *
        (part.isOfLayers ? BigInt(layers) : 1n);
  }
  if (expected !== BigInt(size)) {
    problem(`${size} bytes where the sizes in its header make ${expected}`);
    return undefined;
  }
  return config;
}

/** Rows of a head from pairs (0, h/2), (1, h/2 + 1) … one after the other to Hugging Face's order. */
function unpairRows(values: Float32Array, [rows, columns]: readonly number[], heads: number): Float32Array {
  const output = new Float32Array(values.length);
  const half = rows / heads / 2;
  for (let head = 0; head < heads; head++)
    for (let pair = 0; pair < half; pair++)
      for (let side = 0; side < 2; side++) {
        const from = (head * 2 * half + 2 * pair + side) * columns;
        output.set(values.subarray(from, from + columns), (head * 2 * half + side * half + pair) * columns);
      }
  return output;
}

/** Opens bytes as a model of llama2.c. */
export async function openLlama2c(source: ByteSource, { signal }: ReadOptions = {}): Promise<Llama2cFile> {
  const header = await source.read(0, Math.min(LLAMA2C_HEADER_BYTES, source.size), signal);
  let got = "";
  const config = parseLlama2cHeader(header, source.size, (problem) => {
    got = problem;
  });
  if (config === undefined)
    throw new WeightsError(
      `${source.name}: expected a model of llama2.c (version 0) that fills the file, got ${got}; the file is cut off or another format`,
    );
  const entries = new Map<string, LazyEntry>();
  let at = LLAMA2C_HEADER_BYTES;
  for (const part of partsOf(config)) {
    if ("unused" in part) {
      at += 4 * part.unused;
      continue;
    }
    const { shape, heads } = part;
    const bytes = 4 * shape.reduce((product, count) => product * count, 1);
    const add = (name: string, start: number): void => {
      const where = `${source.name}: tensor ${JSON.stringify(name)} at offset ${start}`;
      const load = async (loadSignal?: AbortSignal): Promise<HostEntry> => {
        const stored = await source.read(start, start + bytes, loadSignal);
        const entry = decode(where, { dtype: "F32", shape, bytes: stored }, true);
        if (heads === undefined || entry.dtype !== "float32") return entry;
        return { ...entry, values: unpairRows(entry.values, shape, heads) };
      };
      entries.set(name, { dtype: "float32", shape, where, load });
    };
    const count = part.isOfLayers ? config.numHiddenLayers : 1;
    for (let index = 0; index < count; index++, at += bytes)
      add(part.isOfLayers ? `model.layers.${index}.${part.name}` : part.name, at);
  }
  return new Llama2cFile(source.name, entries, config);
}

/**
 * Opens a model of llama2.c (`.bin`, version 0, float32) under the names of Hugging Face's `LlamaForCausalLM`. The rows of
 * `q_proj` and `k_proj` come in its order too, for rotary positions that pair a row with the one half a head further on.
 * Each tensor is read when asked for.
 * @param source A path (Node), an `http(s)` or `file` URL, a `Blob` or `File`, or bytes.
 * @throws WeightsError for another version, sizes that do not make up the file, DownloadError when a server does not give it.
 * @see https://github.com/karpathy/llama2.c (`export.py`, `legacy_export`)
 * @example
 * const model = await readLlama2c("stories260K.bin");
 * const { numHiddenLayers } = model.config;
 * const norm = await model.tensor("model.norm.weight");
 */
export async function readLlama2c(source: WeightsSource, options: ReadOptions = {}): Promise<Llama2cFile> {
  assertOptions("readLlama2c", options, ["signal"]);
  return openLlama2c(await openSource(source, options.signal), options);
}
