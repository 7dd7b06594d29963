import { assertOptions } from "../../arguments.js";
import { WeightsError } from "../../errors.js";
import type { ByteSource } from "../byte-source.js";
import { FrontReader } from "../front-reader.js";
import { openSource, type WeightsSource } from "../sources.js";
import { type LazyEntry, LazyWeights, type ReadOptions, type WeightsFile } from "../weights-file.js";
import { readInitializer } from "./initializer.js";
import { type ProtobufField, ProtobufReader } from "./protobuf.js";

/** Fields of ModelProto and GraphProto (onnx.proto). */
const IR_VERSION = 1;
const GRAPH = 7;
const INITIALIZER = 5;
const SPARSE_INITIALIZER = 15;

/** Opens bytes as a model of ONNX. */
export async function openOnnx(source: ByteSource, { signal }: ReadOptions = {}): Promise<WeightsFile> {
  const reader = new ProtobufReader(new FrontReader(source, signal));
  const entries = new Map<string, LazyEntry>();
  let version = 0n;
  let graphs = 0;
  const addInitializer = async (field: ProtobufField): Promise<void> => {
    const { name, entry } = await readInitializer(source, reader, field);
    if (entries.has(name)) throw new WeightsError(`${entry.where}: expected a name once, got it twice`);
    entries.set(name, entry);
  };
  await reader.fields("an ONNX model", { start: 0, end: source.size }, (field) => {
    if (field.number === IR_VERSION) version = field.value;
    if (field.number !== GRAPH) return undefined;
    graphs++;
    if (field.wire !== 2) return undefined;
    return reader.fields("the graph", field, (part) => {
      if (part.number === INITIALIZER) return addInitializer(part);
      if (part.number === SPARSE_INITIALIZER)
        throw new WeightsError(
          `${source.name}: expected dense initializers, got a sparse one at offset ${part.start}, which is not supported`,
        );
      return undefined;
    });
  });
  if (version === 0n || graphs !== 1)
    throw new WeightsError(
      `${source.name}: expected a model of ONNX with a version and one graph, got ${version === 0n ? "no version" : `${graphs} graphs`}; is it another format?`,
    );
  return new LazyWeights(source.name, entries);
}

/**
 * Opens the initializers of an ONNX model (those of its main graph). The graph itself is not read; each tensor is read
 * when asked for, by range where the source can, also from a file of external data beside the model. float64, float16 and
 * bfloat16 become float32, small integers int32, int64 stays exact.
 * @param source A path (Node), an `http(s)` or `file` URL, a `Blob` or `File`, or bytes.
 * @throws WeightsError for a damaged file, DownloadError when a server does not give it.
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 * @example
 * const weights = await readOnnx("model.onnx");
 * const kernel = await weights.tensor("conv1.weight");
 */
export async function readOnnx(source: WeightsSource, options: ReadOptions = {}): Promise<WeightsFile> {
  assertOptions("readOnnx", options, ["signal"]);
  return openOnnx(await openSource(source, options.signal), options);
}
