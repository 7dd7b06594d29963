import { assertOptions } from "../../arguments.js";
import { WeightsError } from "../../errors.js";
import type { ByteSource } from "../byte-source.js";
import { decode, type HostEntry } from "../dtypes.js";
import { openSource, type WeightsSource } from "../sources.js";
import { contiguousStrides, gatherView, swapBytes } from "../strided.js";
import { type LazyEntry, LazyWeights, type ReadOptions, type WeightsFile } from "../weights-file.js";
import { ZipArchive } from "../zip/archive.js";
import { FIRST_BYTES, type NpyHeader, npyHeaderLength, npyType, parseNpyHeader } from "./header.js";

/** Bytes of one array, wherever they are. */
interface ArrayBytes {
  /** Names file and array in errors. */
  readonly where: string;
  readonly size: number;
  read(start: number, end: number, signal: AbortSignal | undefined): Promise<Uint8Array>;
}

async function readHeader(array: ArrayBytes, signal: AbortSignal | undefined): Promise<NpyHeader> {
  const { where, size } = array;
  const front = await array.read(0, Math.min(FIRST_BYTES, size), signal);
  const length = npyHeaderLength(where, front, size);
  const bytes = length <= front.length ? front.subarray(0, length) : await array.read(0, length, signal);
  return parseNpyHeader(where, bytes, size);
}

async function lazyArray(array: ArrayBytes, signal: AbortSignal | undefined): Promise<LazyEntry> {
  const { where, size } = array;
  const { descr, shape, isFortranOrder, dataStart } = await readHeader(array, signal);
  const type = npyType(descr);
  const load = async (loadSignal?: AbortSignal): Promise<HostEntry> => {
    if (type === undefined)
      throw new WeightsError(
        `${where}: expected numbers that tensors have, got ${descr.slice(0, 100)}, which is not supported${descr.includes("O") ? "; Python objects are a pickle, which is not run" : ""}; convert the array`,
      );
    // all of it, so that an archive checks the checksum
    const whole = await array.read(0, size, loadSignal);
    const bytes = whole.subarray(dataStart);
    if (type.isBigEndian) swapBytes(bytes, type.bytes);
    // column-major is row-major with the axes the other way round
    const strides = contiguousStrides([...shape].reverse()).reverse();
    const ordered =
      isFortranOrder && shape.length > 1 ? gatherView(bytes, type.bytes, { shape, strides }) : bytes;
    return decode(where, { dtype: type.stored, shape, bytes: ordered }, true);
  };
  return { dtype: descr, shape, where, load };
}

/** Opens bytes as one array of NumPy, named after its file, `array` where that has no name in `.npy`. */
export async function openNpy(source: ByteSource, { signal }: ReadOptions = {}): Promise<WeightsFile> {
  const name = /([^/\\]+)\.npy$/.exec(source.name)?.[1] ?? "array";
  const array: ArrayBytes = {
    where: `${source.name}: array ${JSON.stringify(name)}`,
    size: source.size,
    read: (start, end, readSignal) => source.read(start, end, readSignal),
  };
  return new LazyWeights(source.name, new Map([[name, await lazyArray(array, signal)]]));
}

/** Opens bytes as an archive of NumPy's arrays. */
export async function openNpz(source: ByteSource, { signal }: ReadOptions = {}): Promise<WeightsFile> {
  const archive = await ZipArchive.open(source, signal);
  const entries = new Map<string, LazyEntry>();
  for (const [member, { size, headerStart }] of archive.entries) {
    const where = `${source.name}: array ${JSON.stringify(member.replace(/\.npy$/, ""))} at offset ${headerStart}`;
    if (!member.endsWith(".npy"))
      throw new WeightsError(`${where}: expected a file that ends in .npy in an npz archive, got another`);
    const array: ArrayBytes = {
      where,
      size,
      read: (start, end, readSignal) => archive.read(member, { start, end }, readSignal),
    };
    entries.set(member.slice(0, -".npy".length), await lazyArray(array, signal));
  }
  return new LazyWeights(source.name, entries);
}

/**
 * Opens an array (`.npy`, named after its file) or an archive of arrays (`.npz`, stored or deflated) of NumPy. Each is
 * read when asked for; float64 and float16 become float32, small integers int32, int64 stays exact; both byte orders and
 * both memory orders. Python objects are refused, since they are a pickle.
 * @param source A path (Node), an `http(s)` or `file` URL, a `Blob` or `File`, or bytes.
 * @throws WeightsError for a damaged file, DownloadError when a server does not give it.
 * @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 * @example
 * const weights = await readNumpy("checkpoint20.npz");
 * const embedding = await weights.tensor("enc_emb");
 */
export async function readNumpy(source: WeightsSource, options: ReadOptions = {}): Promise<WeightsFile> {
  assertOptions("readNumpy", options, ["signal"]);
  const opened = await openSource(source, options.signal);
  const start = await opened.read(0, Math.min(2, opened.size), options.signal);
  return start[0] === 0x50 && start[1] === 0x4b ? openNpz(opened, options) : openNpy(opened, options);
}
