import { type ByteSource, openSource, type WeightsSource } from "../sources.js";
import { type LazyEntry, LazyWeights, type ReadOptions } from "../weights-file.js";
import { decodeGguf } from "./blocks.js";
import { HeaderGoesOn } from "./cursor.js";
import { type GgufHeader, type GgufValue, parseGgufHeader } from "./header.js";

/** Bytes that are read first: a header without vocabulary fits. */
const FIRST_BYTES = 2 ** 16;

/** An opened GGUF file: metadata and shapes are known, tensors are read and dequantised when asked for. */
export class GgufFile extends LazyWeights {
  /** Values by key (`general.architecture`, `llama.block_count`, `tokenizer.ggml.tokens` …), without a prototype. */
  readonly metadata: Readonly<Record<string, GgufValue>>;
  readonly #source: ByteSource;
  readonly #header: GgufHeader;

  /** @internal Use {@link readGguf}. */
  constructor(source: ByteSource, header: GgufHeader) {
    super(
      source.name,
      new Map(
        [...header.tensors].map(([name, { dtype, shape, start, end }]): [string, LazyEntry] => {
          const where = `${source.name}: tensor ${JSON.stringify(name)} at offset ${start}`;
          const load = async (signal?: AbortSignal) =>
            decodeGguf(where, dtype, shape, await readRange(source, start, end, signal));
          return [name, { dtype, shape, where, load }];
        }),
      ),
    );
    this.#source = source;
    this.#header = header;
    const metadata: Record<string, GgufValue> = Object.create(null);
    for (const [key, value] of header.metadata) metadata[key] = value;
    this.metadata = metadata;
  }

  /** A tensor's bytes as they are stored, of any type. @throws WeightsError when there is none of that name. */
  async bytes(name: string, { signal }: ReadOptions = {}): Promise<Uint8Array> {
    this.lazyEntry(name);
    const { start, end } = this.#header.tensors.get(name)!;
    return readRange(this.#source, start, end, signal);
  }
}

async function readRange(
  source: ByteSource,
  start: number,
  end: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  signal?.throwIfAborted();
  return start === end ? new Uint8Array(0) : source.read(start, end, signal);
}

/** Opens a source of bytes as GGUF: reads as much of its front as the header takes. */
export async function openGguf(source: ByteSource, { signal }: ReadOptions = {}): Promise<GgufFile> {
  let length = Math.min(FIRST_BYTES, source.size);
  for (;;) {
    const front = await source.read(0, length, signal);
    try {
      return new GgufFile(source, parseGgufHeader(source.name, front, source.size));
    } catch (error) {
      if (!(error instanceof HeaderGoesOn)) throw error;
      length = Math.min(source.size, Math.max(error.needed, 4 * length));
    }
  }
}

/**
 * Opens a GGUF file (llama.cpp, whisper.cpp). Only metadata and shapes are read now; each tensor is read when asked for,
 * by range where the source can, and comes out as float32 (equal to gguf-py's `dequantize` bit for bit) or int32.
 * Types: F32, F16, BF16, F64, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K, I8 to I64; others by their bytes.
 * Shapes are PyTorch's: `[out, in]` for a linear layer.
 * @param source A path (Node), an `http(s)` or `file` URL, a `Blob` or `File`, or bytes.
 * @throws WeightsError for a damaged file, a big-endian one or version 1; DownloadError when a server does not give it.
 * @see https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 * @example
 * const file = await readGguf("model-q4_k_m.gguf");
 * const layers = file.metadata["llama.block_count"];
 * const embedding = await file.tensor("token_embd.weight");
 */
export async function readGguf(source: WeightsSource, { signal }: ReadOptions = {}): Promise<GgufFile> {
  const options = signal === undefined ? {} : { signal };
  return openGguf(await openSource(source, signal), options);
}
