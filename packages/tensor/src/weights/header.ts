import { WeightsError } from "../errors.js";
import { formatShape } from "../shape.js";
import { bitsOf, isSafetensorsDType, type SafetensorsDType } from "./dtypes.js";
import { parseStrictJson, type StrictJson, StrictJsonProblem } from "./strict-json.js";

/** The reference library's limit: what a header may claim before anyone allocates memory for it. */
const MOST_HEADER_BYTES = 100_000_000;
/** Bytes before the header: its length as an unsigned 64-bit integer, little-endian. */
export const PREFIX_BYTES = 8;
/** Header, entry, list of sizes; some room for fields that later versions may add. */
const MAX_DEPTH = 8;

/** Where a tensor lies in a file. */
export interface SafetensorsInfo {
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
  /** First byte, from the start of the file. */
  readonly start: number;
  /** Behind the last byte, from the start of the file. */
  readonly end: number;
}

/** What a header says. */
export interface SafetensorsHeader {
  /** In the order of the header. */
  readonly tensors: ReadonlyMap<string, SafetensorsInfo>;
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * The length of the header out of the first 8 bytes.
 * @param file Name for errors.
 * @throws WeightsError when it is larger than the file or the reference library's 100 MB.
 */
export function headerLength(file: string, prefix: Uint8Array, fileSize: number): number {
  if (prefix.byteLength < PREFIX_BYTES || fileSize < PREFIX_BYTES)
    throw new WeightsError(
      `${file}: expected a safetensors file of at least ${PREFIX_BYTES} bytes, got ${fileSize}`,
    );
  const length = new DataView(prefix.buffer, prefix.byteOffset, PREFIX_BYTES).getBigUint64(0, true);
  if (length > MOST_HEADER_BYTES)
    throw new WeightsError(
      `${file}: expected a safetensors header of at most ${MOST_HEADER_BYTES} bytes, got ${length}; is it another format? readWeights opens PyTorch's, NumPy's and others, and a module's loadStateDict takes the hosts() of what it gives`,
    );
  if (Number(length) > fileSize - PREFIX_BYTES)
    throw new WeightsError(
      `${file}: expected a safetensors header inside the file of ${fileSize} bytes, got one of ${length}; the file is cut off or another format`,
    );
  return Number(length);
}

/**
 * Reads and checks a header: every tensor's bytes fit its dtype and shape, and together they fill the file without
 * gap or overlap.
 * @param file Name for errors.
 * @param bytes The header alone.
 * @throws WeightsError that names file, tensor and offset.
 */
export function parseHeader(file: string, bytes: Uint8Array, fileSize: number): SafetensorsHeader {
  const root = parseRoot(file, bytes);
  const metadata = new Map<string, string>();
  const tensors = new Map<string, SafetensorsInfo>();
  const dataStart = PREFIX_BYTES + bytes.byteLength;
  for (const [name, value] of root) {
    if (name === "__metadata__") {
      if (!(value instanceof Map))
        throw new WeightsError(`${file}: expected an object for __metadata__, got another value`);
      for (const [key, text] of value as ReadonlyMap<string, StrictJson>) {
        if (typeof text !== "string")
          throw new WeightsError(
            `${file}: expected text for __metadata__ ${JSON.stringify(key)}, got ${JSON.stringify(text)}`,
          );
        metadata.set(key, text);
      }
    } else tensors.set(name, parseEntry(`${file}: tensor ${JSON.stringify(name)}`, value, dataStart));
  }
  assertFilled(file, tensors, dataStart, fileSize);
  return { tensors, metadata };
}

function parseRoot(file: string, bytes: Uint8Array): ReadonlyMap<string, StrictJson> {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new WeightsError(
      `${file}: expected a safetensors header in UTF-8, got other bytes; the file is damaged`,
    );
  }
  if (text[0] !== "{")
    throw new WeightsError(`${file}: expected a safetensors header that starts with "{", got another format`);
  try {
    return parseStrictJson(text, MAX_DEPTH) as ReadonlyMap<string, StrictJson>;
  } catch (error) {
    if (!(error instanceof StrictJsonProblem)) throw error;
    throw new WeightsError(
      `${file}: expected a safetensors header in JSON, got ${error.problem} at character ${error.position}; the file is damaged`,
    );
  }
}

function isCount(value: StrictJson | undefined): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function parseEntry(where: string, value: StrictJson, dataStart: number): SafetensorsInfo {
  if (!(value instanceof Map))
    throw new WeightsError(`${where}: expected an object, got ${JSON.stringify(value)}`);
  const entry = value as ReadonlyMap<string, StrictJson>;
  const dtype = entry.get("dtype");
  const shape = entry.get("shape");
  const offsets = entry.get("data_offsets");
  if (!isSafetensorsDType(dtype))
    throw new WeightsError(`${where}: expected a dtype of the format, got ${JSON.stringify(dtype)}`);
  if (!Array.isArray(shape) || !shape.every(isCount))
    throw new WeightsError(
      `${where}: expected a shape of non-negative integers, got ${JSON.stringify(shape)}`,
    );
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount) || offsets[0] > offsets[1])
    throw new WeightsError(
      `${where}: expected data_offsets [start, end] in order, got ${JSON.stringify(offsets)}`,
    );
  let bits = BigInt(bitsOf(dtype));
  for (const length of shape) bits *= BigInt(length);
  const [start, end] = offsets as number[];
  if (bits !== 8n * BigInt(end - start))
    throw new WeightsError(
      `${where}: expected ${bits / 8n} bytes for ${dtype} ${formatShape(shape)}, got ${end - start} at offset ${start}`,
    );
  return { dtype, shape, start: dataStart + start, end: dataStart + end };
}

function assertFilled(
  file: string,
  tensors: ReadonlyMap<string, SafetensorsInfo>,
  dataStart: number,
  fileSize: number,
): void {
  const sorted = [...tensors].sort(([, a], [, b]) => a.start - b.start || a.end - b.end);
  let filled = dataStart;
  for (const [name, { start, end }] of sorted) {
    if (start !== filled)
      throw new WeightsError(
        `${file}: tensor ${JSON.stringify(name)}: expected bytes that start at offset ${filled - dataStart}, got ${start - dataStart}; the tensors ${start < filled ? "overlap" : "leave a gap"}`,
      );
    if (end > fileSize)
      throw new WeightsError(
        `${file}: tensor ${JSON.stringify(name)}: expected bytes inside the file, got offset ${end - dataStart} of ${fileSize - dataStart}; the file is cut off`,
      );
    filled = end;
  }
  if (filled !== fileSize)
    throw new WeightsError(
      `${file}: expected ${filled} bytes, got ${fileSize}; ${fileSize - filled} bytes belong to no tensor`,
    );
}
