import { assertOptions } from "../../arguments.js";
import { WeightsError } from "../../errors.js";
import type { ByteSource } from "../byte-source.js";
import { decode, type HostEntry } from "../dtypes.js";
import { openSource, type WeightsSource } from "../sources.js";
import { gatherView, isContiguous, spanOf, swapBytes } from "../strided.js";
import { type LazyEntry, LazyWeights, type ReadOptions } from "../weights-file.js";
import { openLegacy, openZip, type TorchContainer } from "./containers.js";
import { type CheckpointValue, flatten } from "./flatten.js";
import type { TensorReference } from "./meaning.js";

/** Options of {@link readTorch}. */
export interface ReadTorchOptions extends ReadOptions {
  /** Read only what lies under this key, such as `state_dict`, and leave the key out of the names. Default everything. */
  readonly key?: string;
}

/** An opened PyTorch checkpoint: names and shapes are known, a tensor is read when it is asked for. */
export class TorchFile extends LazyWeights {
  /** What stands beside the tensors, such as `epoch`, by the same kind of name. */
  readonly values: ReadonlyMap<string, CheckpointValue>;

  /** @internal Use {@link readTorch}. */
  constructor(file: string, container: TorchContainer, key: string) {
    const { tensors, values } = flatten(file, container.root, key);
    super(
      file,
      new Map([...tensors].map(([name, tensor]) => [name, lazyTensor(file, name, tensor, container)])),
    );
    this.values = values;
  }
}

/** Checks that a tensor lies inside its storage. */
function lazyTensor(
  file: string,
  name: string,
  { storage, type, view }: TensorReference,
  container: TorchContainer,
): LazyEntry {
  const { place, read } = container.locate(storage);
  const where = `${file}: tensor ${JSON.stringify(name)} in ${place}`;
  const { shape, offset } = view;
  const span = spanOf(where, view);
  // an untyped storage counts bytes; `offset` and strides count elements of the tensor
  const available = Math.floor((storage.part.length * storage.type.bytes) / type.bytes);
  if (span > 0 && offset + span > available)
    throw new WeightsError(
      `${where}: expected elements inside the storage of ${available}, got ${span} from ${offset} on; the file is damaged`,
    );
  const first = storage.part.start * storage.type.bytes + offset * type.bytes;
  const load = async (signal?: AbortSignal): Promise<HostEntry> => {
    const { stored } = type;
    if (stored === undefined)
      throw new WeightsError(
        `${where}: expected a dtype that tensors have, got ${type.name}, which is not supported; convert it before torch.save`,
      );
    const bytes = span === 0 ? new Uint8Array(0) : await read(first, first + span * type.bytes, signal);
    if (container.isBigEndian) swapBytes(bytes, type.bytes);
    const ordered = isContiguous(view) ? bytes : gatherView(bytes, type.bytes, view);
    return decode(where, { dtype: stored, shape, bytes: ordered }, true);
  };
  return { dtype: type.name, shape, where, load };
}

/** Opens bytes as a PyTorch checkpoint. */
export async function openTorch(
  source: ByteSource,
  { key = "", signal }: ReadTorchOptions = {},
): Promise<TorchFile> {
  const start = await source.read(0, Math.min(4, source.size), signal);
  const isZip = start[0] === 0x50 && start[1] === 0x4b;
  if (!isZip && start[0] !== 0x80)
    throw new WeightsError(
      `${source.name}: expected a PyTorch checkpoint, which starts with "PK" or 0x80, got ${start.length === 0 ? "no bytes" : `0x${start[0].toString(16)}`}; is it another format?`,
    );
  const container = await (isZip ? openZip : openLegacy)(source, signal);
  return new TorchFile(source.name, container, key);
}

/**
 * Opens a checkpoint of `torch.save` (`.pt`, `.pth`, `.bin`), of PyTorch before 1.6 or after. Nothing in it is run: its
 * pickle may name tensors, dicts, lists and plain values, and a file that names anything else (`os.system`, a class of a
 * model) is refused with that name. Names are the keys of nested dicts joined with dots; each tensor is read when asked
 * for, by range where the source can. float64, float16 and bfloat16 become float32, small integers int32, int64 stays exact.
 * @param source A path (Node), an `http(s)` or `file` URL, a `Blob` or `File`, or bytes.
 * @throws WeightsError for a damaged file and a refused name, DownloadError when a server does not give it.
 * @example
 * const weights = await readTorch("resnet20.th", { key: "state_dict" });
 * const tensors = await weights.tensors();
 */
export async function readTorch(source: WeightsSource, options: ReadTorchOptions = {}): Promise<TorchFile> {
  assertOptions("readTorch", options, ["key", "signal"]);
  return openTorch(await openSource(source, options.signal), options);
}
