import { assertOptions } from "../../arguments.js";
import { WeightsError } from "../../errors.js";
import { type ByteSource, isUrl, openSource, type WeightsSource } from "../sources.js";
import { type LazyEntry, LazyWeights, type ReadOptions } from "../weights-file.js";
import { decodeGguf } from "./blocks.js";
import { HeaderGoesOn } from "./cursor.js";
import { type GgufHeader, type GgufInfo, type GgufValue, parseGgufHeader } from "./header.js";

/** Bytes that are read first: a header without vocabulary fits. */
const FIRST_BYTES = 2 ** 16;

/** How llama.cpp names the files of a model in several. */
const PART_NAME = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/;
/** More than five digits cannot count. */
const MOST_PARTS = 1000;

interface Part {
  readonly source: ByteSource;
  readonly header: GgufHeader;
}

interface Stored extends GgufInfo {
  readonly source: ByteSource;
}

/** An opened GGUF file: metadata and shapes are known, tensors are read and dequantised when asked for. */
export class GgufFile extends LazyWeights {
  /** Values by key (`general.architecture`, `llama.block_count`, `tokenizer.ggml.tokens` …), without a prototype. */
  readonly metadata: Readonly<Record<string, GgufValue>>;
  readonly #stored: ReadonlyMap<string, Stored>;

  /** @internal Use {@link readGguf}. */
  constructor(parts: readonly Part[]) {
    const stored = new Map<string, Stored>();
    for (const { source, header } of parts)
      for (const [name, info] of header.tensors) {
        if (stored.has(name))
          throw new WeightsError(
            `${source.name}: expected tensor ${JSON.stringify(name)} in one file, got it in two`,
          );
        stored.set(name, { ...info, source });
      }
    super(
      parts[0].source.name,
      new Map(
        [...stored].map(([name, { source, dtype, shape, start, end }]): [string, LazyEntry] => {
          const where = `${source.name}: tensor ${JSON.stringify(name)} at offset ${start}`;
          const load = async (signal?: AbortSignal) =>
            decodeGguf(where, dtype, shape, await readRange(source, start, end, signal));
          return [name, { dtype, shape, where, load }];
        }),
      ),
    );
    this.#stored = stored;
    const metadata: Record<string, GgufValue> = Object.create(null);
    for (const { header } of [...parts].reverse())
      for (const [key, value] of header.metadata) metadata[key] = value;
    this.metadata = metadata;
  }

  /** A tensor's bytes as they are stored, of any type. @throws WeightsError when there is none of that name. */
  async bytes(name: string, { signal }: ReadOptions = {}): Promise<Uint8Array> {
    this.lazyEntry(name);
    const { source, start, end } = this.#stored.get(name)!;
    return readRange(source, start, end, signal);
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

/** Reads as much of a file's front as the header takes. */
async function openPart(source: ByteSource, signal: AbortSignal | undefined): Promise<Part> {
  let length = Math.min(FIRST_BYTES, source.size);
  for (;;) {
    const front = await source.read(0, length, signal);
    try {
      return { source, header: parseGgufHeader(source.name, front, source.size) };
    } catch (error) {
      if (!(error instanceof HeaderGoesOn)) throw error;
      length = Math.min(source.size, Math.max(error.needed, 4 * length));
    }
  }
}

/** A segment of a URL as text; as it is when its escapes are none. */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** Names of the other files of a model in several; none when it is one file or nothing lies beside it. */
function otherParts({ source, header }: Part): string[] {
  const count = header.metadata.get("split.count") ?? 1;
  if (count === 0 || count === 1 || source.sibling === undefined) return [];
  const last = source.name.replace(/^.*[/\\]/s, "");
  const [, stem, own, total] = PART_NAME.exec(isUrl(source.name) ? decoded(last) : last) ?? [];
  if (stem === undefined || Number(total) !== count || Number(total) > MOST_PARTS)
    throw new WeightsError(
      `${source.name}: expected a name such as "model-00001-of-${String(count).padStart(5, "0")}.gguf", since split.count is ${String(count)}; rename the files as llama.cpp does`,
    );
  const number = (part: number): string => String(part).padStart(5, "0");
  return Array.from({ length: Number(total) }, (_, index) => number(index + 1))
    .filter((part) => part !== own)
    .map((part) => `${stem}-${part}-of-${total}.gguf`);
}

/** Opens a source of bytes as GGUF, and the other files of a model in several that lie beside it. */
export async function openGguf(source: ByteSource, { signal }: ReadOptions = {}): Promise<GgufFile> {
  const first = await openPart(source, signal);
  const parts = [first];
  for (const name of otherParts(first)) {
    const part = await openPart(await source.sibling!(name, signal), signal);
    if (part.header.metadata.get("split.count") !== first.header.metadata.get("split.count"))
      throw new WeightsError(
        `${part.source.name}: expected split.count as in ${source.name}, got another; the files belong to several models`,
      );
    parts.push(part);
  }
  const numberOf = ({ header }: Part): number => Number(header.metadata.get("split.no") ?? 0);
  parts.sort((a, b) => numberOf(a) - numberOf(b));
  if (parts.length > 1 && parts.some((part, index) => numberOf(part) !== index))
    throw new WeightsError(
      `${source.name}: expected files with split.no 0 to ${parts.length - 1}, got ${parts.map(numberOf).join(", ")}; a file has another's name`,
    );
  const opened = new GgufFile(parts);
  const announced = first.header.metadata.get("split.tensors.count");
  if (parts.length > 1 && announced !== undefined && announced !== opened.names.length)
    throw new WeightsError(
      `${source.name}: expected ${String(announced)} tensors in ${parts.length} files, as split.tensors.count says, got ${opened.names.length}`,
    );
  return opened;
}

/**
 * Opens a GGUF file (llama.cpp, whisper.cpp). Only metadata and shapes are read now; each tensor is read when asked for,
 * by range where the source can, and comes out as float32 (equal to gguf-py's `dequantize` bit for bit) or int32.
 * Types: F32, F16, BF16, F64, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K, I8 to I64; others by their bytes.
 * Shapes are PyTorch's: `[out, in]` for a linear layer. Of a model in several files (`…-00001-of-00003.gguf`) any one
 * opens all that lie beside it; from a `Blob` or bytes it gives its own tensors.
 * @param source A path (Node), an `http(s)` or `file` URL, a `Blob` or `File`, or bytes.
 * @throws WeightsError for a damaged file, a big-endian one or version 1; DownloadError when a server does not give it.
 * @see https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 * @example
 * const file = await readGguf("model-q4_k_m.gguf");
 * const layers = file.metadata["llama.block_count"];
 * const embedding = await file.tensor("token_embd.weight");
 */
export async function readGguf(source: WeightsSource, options: ReadOptions = {}): Promise<GgufFile> {
  assertOptions("readGguf", options, ["signal"]);
  return openGguf(await openSource(source, options.signal), options);
}
