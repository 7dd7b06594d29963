import { WeightsError } from "../../errors.js";
import type { ByteSource } from "../byte-source.js";
import { ZipArchive } from "../zip/archive.js";
import { type StorageReference, TORCH_MEANING } from "./meaning.js";
import { PickleBytes, PickleGoesOn } from "./pickle-bytes.js";
import { describeValue, PickleDict, type PickleValue } from "./pickle-values.js";
import { unpickle } from "./unpickle.js";

/** A file that `torch.save` wrote: the pickle's value, and a way to the bytes of its storages. */
export interface TorchContainer {
  readonly root: PickleValue;
  readonly isBigEndian: boolean;
  /** @throws WeightsError when the file has no such storage, or fewer bytes than it says. */
  locate(storage: StorageReference): StorageBytes;
}

/** The bytes of a storage. */
export interface StorageBytes {
  /** Where they are, for errors. */
  readonly place: string;
  read(start: number, end: number, signal: AbortSignal | undefined): Promise<Uint8Array>;
}

/** Beyond that a pickle is no description of weights. */
const MOST_PICKLE_BYTES = 2 ** 28;
const FIRST_BYTES = 2 ** 16;
const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL = 1001;

/** PyTorch from 1.6 on: a zip archive with `NAME/data.pkl` and `NAME/data/KEY`. */
export async function openZip(source: ByteSource, signal: AbortSignal | undefined): Promise<TorchContainer> {
  const archive = await ZipArchive.open(source, signal);
  const pickles = [...archive.entries.keys()].filter((name) => /^(?:[^/]+\/)?data\.pkl$/.test(name));
  if (pickles.length !== 1)
    throw new WeightsError(
      `${source.name}: expected one data.pkl in the archive of a PyTorch checkpoint, got ${pickles.length}`,
    );
  const [pickle] = pickles;
  const folder = pickle.slice(0, -"data.pkl".length);
  const { size } = archive.entries.get(pickle)!;
  if (size > MOST_PICKLE_BYTES)
    throw new WeightsError(
      `${source.name}: expected data.pkl of at most ${MOST_PICKLE_BYTES} bytes, got ${size}; the file is damaged`,
    );
  const bytes = await archive.readAll(pickle, signal);
  const root = unpickle(new PickleBytes(source.name, bytes, { start: 0, fileSize: size }), TORCH_MEANING);
  const order = `${folder}byteorder`;
  const isOrdered = (archive.entries.get(order)?.size ?? 0) === "big".length;
  const isBigEndian = isOrdered && new TextDecoder().decode(await archive.readAll(order, signal)) === "big";
  return {
    root,
    isBigEndian,
    locate({ key, elements, type }) {
      const name = `${folder}data/${key}`;
      const entry = archive.entries.get(name);
      if (entry === undefined)
        throw new WeightsError(
          `${source.name}: expected the storage ${JSON.stringify(name)} in the archive, got none; the file is damaged`,
        );
      if (elements * type.bytes > entry.size)
        throw new WeightsError(
          `${source.name}: expected ${elements * type.bytes} bytes in ${JSON.stringify(name)} at offset ${entry.headerStart}, got ${entry.size}; the file is damaged`,
        );
      return {
        place: `${JSON.stringify(name)} at offset ${entry.headerStart}`,
        read: (start, end, readSignal) => archive.read(name, { start, end }, readSignal),
      };
    },
  };
}

/** Several pickles one after the other at the front of a file: as much of it is read as they take. */
async function readPickles<Result>(
  source: ByteSource,
  signal: AbortSignal | undefined,
  read: (bytes: PickleBytes) => Result,
): Promise<Result> {
  let length = Math.min(FIRST_BYTES, source.size);
  for (;;) {
    const front = await source.read(0, length, signal);
    try {
      return read(new PickleBytes(source.name, front, { start: 0, fileSize: source.size }));
    } catch (error) {
      if (!(error instanceof PickleGoesOn)) throw error;
      if (error.needed > MOST_PICKLE_BYTES)
        throw new WeightsError(
          `${source.name}: expected a pickle of at most ${MOST_PICKLE_BYTES} bytes, got a longer one; the file is damaged`,
        );
      length = Math.min(source.size, Math.max(error.needed, 4 * length));
    }
  }
}

/** PyTorch before 1.6: magic number, protocol, system, value, keys of the storages, and behind them their bytes. */
export async function openLegacy(
  source: ByteSource,
  signal: AbortSignal | undefined,
): Promise<TorchContainer> {
  const types = new Map<string, StorageReference>();
  const meaning = {
    ...TORCH_MEANING,
    persistent(id: PickleValue, fail: (problem: string) => never) {
      const storage = TORCH_MEANING.persistent(id, fail) as StorageReference;
      const known = types.get(storage.key);
      if (known !== undefined && (known.type !== storage.type || known.elements !== storage.elements))
        return fail(`the storage ${JSON.stringify(storage.key)} with two types or sizes`);
      types.set(storage.key, storage);
      return storage;
    },
  };
  const fail = (expected: string, got: string): never => {
    throw new WeightsError(`${source.name}: expected ${expected}, got ${got}; the file is damaged`);
  };
  const { system, root, keys, end } = await readPickles(source, signal, (bytes) => {
    types.clear();
    const magic = unpickle(bytes, TORCH_MEANING);
    if (magic !== MAGIC) fail("the magic number of a PyTorch checkpoint", describeValue(magic));
    const protocol = unpickle(bytes, TORCH_MEANING);
    if (protocol !== PROTOCOL) fail(`protocol ${PROTOCOL} of PyTorch checkpoints`, describeValue(protocol));
    return {
      system: unpickle(bytes, TORCH_MEANING),
      root: unpickle(bytes, meaning),
      keys: unpickle(bytes, TORCH_MEANING),
      end: bytes.offset,
    };
  });
  if (!Array.isArray(keys)) return fail("the list of the storages", describeValue(keys));
  const starts = new Map<string, number>();
  let at = end;
  for (const key of keys) {
    const name = typeof key === "string" ? key : describeValue(key);
    const storage = types.get(name);
    if (storage === undefined || starts.has(name))
      return fail(
        "each storage once in the list of the storages",
        `${JSON.stringify(name)} ${storage === undefined ? "of no tensor" : "twice"}`,
      );
    starts.set(name, at + 8);
    at += 8 + storage.elements * storage.type.bytes;
    if (at > source.size)
      fail(
        `the storage ${JSON.stringify(name)} inside the file of ${source.size} bytes`,
        `its end at offset ${at}`,
      );
  }
  return {
    root,
    isBigEndian: system instanceof PickleDict && system.get("little_endian") === false,
    locate({ key, elements }) {
      const start = starts.get(key);
      if (start === undefined)
        return fail(`the storage ${JSON.stringify(key)} in the list of the storages`, "none");
      let isChecked = false;
      return {
        place: `offset ${start}`,
        async read(first, last, readSignal) {
          if (!isChecked) {
            const prefix = await source.read(start - 8, start, readSignal);
            const count = new DataView(prefix.buffer, prefix.byteOffset, 8);
            const order = !(system instanceof PickleDict && system.get("little_endian") === false);
            const stored = count.getBigInt64(0, order);
            if (stored !== BigInt(elements))
              fail(`${elements} elements in the storage at offset ${start - 8}`, String(stored));
            isChecked = true;
          }
          return first === last ? new Uint8Array(0) : source.read(start + first, start + last, readSignal);
        },
      };
    },
  };
}
