import { InputError } from "@ai/tensor";

/** Bytes of a tar archive, all at once or as they come. */
export type TarSource = Uint8Array | Blob | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

/** A file of an archive. */
export interface TarEntry {
  /** Its path in the archive, with `/`. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** Options of {@link readTar}. */
export interface ReadTarOptions {
  /** What errors call the archive. */
  readonly name?: string;
  /** Largest file in it; 2²⁸ bytes when left out. */
  readonly maxBytes?: number;
  /** Ends reading. */
  readonly signal?: AbortSignal;
}

const BLOCK = 512;

/** What a header says. */
export interface TarHeader {
  readonly path: string;
  readonly size: number;
  /** `0` file, `5` folder, `x` and `L` names of the next file. */
  readonly kind: string;
}

function checksumOf(block: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < BLOCK; at++) sum += at >= 148 && at < 156 ? 32 : block[at];
  return sum;
}

function octal(block: Uint8Array, start: number, length: number): number {
  // a leading bit means base 256: sizes above 8 GiB
  if (block[start] & 0x80) {
    let value = block[start] & 0x7f;
    for (let at = start + 1; at < start + length; at++) value = value * 256 + block[at];
    return value;
  }
  const text = textOf(block, start, length).trim();
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
}

function textOf(block: Uint8Array, start: number, length: number): string {
  const field = block.subarray(start, start + length);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}

/** Reads a header; undefined at the end of the archive. @throws InputError when it is damaged. */
export function readTarHeader(block: Uint8Array, name: string): TarHeader | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  const size = octal(block, 124, 12);
  if (checksumOf(block) !== octal(block, 148, 8) || !Number.isSafeInteger(size))
    throw new InputError(
      `readTar: ${name}: expected a header with its checksum, got another; the archive is damaged`,
    );
  const isUstar = textOf(block, 257, 5) === "ustar";
  const prefix = isUstar ? textOf(block, 345, 155) : "";
  const path = textOf(block, 0, 100);
  return {
    path: prefix === "" ? path : `${prefix}/${path}`,
    size,
    kind: block[156] === 0 ? "0" : String.fromCharCode(block[156]),
  };
}

/** The path in a PAX header's records, `LENGTH path=VALUE\n`. */
export function paxPath(records: Uint8Array): string | undefined {
  const text = new TextDecoder().decode(records);
  return /(?:^|\n)\d+ path=([^\n]*)\n/.exec(text)?.[1];
}

/** Names in front of a file that do not fit its header. */
export function nameOfNext(kind: string, bytes: Uint8Array): string | undefined {
  if (kind === "x") return paxPath(bytes);
  return kind === "L" ? textOf(bytes, 0, bytes.length) : undefined;
}

/** Bytes padded to whole blocks. */
export const padded = (size: number): number => Math.ceil(size / BLOCK) * BLOCK;

async function* piecesOf(source: TarSource): AsyncGenerator<Uint8Array, void, undefined> {
  if (source instanceof Uint8Array) yield source;
  else if (source instanceof Blob) yield* piecesOf(source.stream());
  else if ("getReader" in source) {
    const reader = source.getReader();
    try {
      for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
    } finally {
      await reader.cancel().catch(() => undefined);
    }
  } else yield* source;
}

/** Takes exact lengths out of pieces of any length. */
class Pieces {
  readonly #source: AsyncGenerator<Uint8Array, void, undefined>;
  #held: Uint8Array = new Uint8Array(0);

  constructor(source: TarSource) {
    this.#source = piecesOf(source);
  }

  /** `length` bytes, fewer at the end of the source. */
  async take(length: number): Promise<Uint8Array> {
    const pieces = [this.#held];
    let total = this.#held.length;
    while (total < length) {
      const next = await this.#source.next();
      if (next.done) break;
      pieces.push(next.value);
      total += next.value.length;
    }
    const joined = pieces.length === 1 ? pieces[0] : new Uint8Array(total);
    if (pieces.length > 1) {
      let at = 0;
      for (const piece of pieces) {
        joined.set(piece, at);
        at += piece.length;
      }
    }
    this.#held = joined.subarray(length);
    return joined.slice(0, length);
  }

  close(): Promise<unknown> {
    return this.#source.return();
  }
}

/**
 * The files of a tar archive, one after the other as they come: nothing but the current one is kept. Folders and links
 * are left out.
 * @throws InputError when the archive is damaged, cut off or has a larger file than `maxBytes`; the signal's reason.
 * @example
 * for await (const { path, bytes } of readTar(response.body)) console.log(path, bytes.length);
 */
export async function* readTar(
  source: TarSource,
  { name = "archive", maxBytes = 2 ** 28, signal }: ReadTarOptions = {},
): AsyncGenerator<TarEntry, void, undefined> {
  const pieces = new Pieces(source);
  const cutOff = (): InputError =>
    new InputError(`readTar: ${name}: expected a whole archive, got one that is cut off`);
  try {
    let longName: string | undefined;
    for (;;) {
      signal?.throwIfAborted();
      const block = await pieces.take(BLOCK);
      if (block.length === 0) return; // without the two empty blocks, which some writers leave out
      if (block.length < BLOCK) throw cutOff();
      const header = readTarHeader(block, name);
      if (header === undefined) return;
      if (header.size > maxBytes)
        throw new InputError(
          `readTar: ${name}: expected files of at most ${maxBytes} bytes, got ${header.path} of ${header.size}; raise maxBytes if you trust it`,
        );
      const body = await pieces.take(padded(header.size));
      if (body.length < header.size) throw cutOff();
      const bytes = body.subarray(0, header.size);
      const next = nameOfNext(header.kind, bytes);
      if (next !== undefined) longName = next;
      else {
        if (header.kind === "0") yield { path: longName ?? header.path, bytes };
        if (header.kind !== "g") longName = undefined;
      }
    }
  } finally {
    await pieces.close();
  }
}
