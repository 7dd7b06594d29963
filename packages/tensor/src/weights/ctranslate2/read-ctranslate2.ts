import { assertOptions } from "../../arguments.js";
import { WeightsError } from "../../errors.js";
import type { ByteSource } from "../byte-source.js";
import { decode, type HostEntry, type SafetensorsDType } from "../dtypes.js";
import { FrontReader } from "../front-reader.js";
import { openSource, type WeightsSource } from "../sources.js";
import { elementsOf } from "../strided.js";
import { type LazyEntry, LazyWeights, type ReadOptions } from "../weights-file.js";

/** What a file says of the model beside its variables. */
export interface CTranslate2Metadata {
  /** Version of the file format, 1 to 6. */
  readonly binaryVersion: number;
  /** Name of the model's kind, such as `TransformerSpec`; empty in version 1. */
  readonly spec: string;
  readonly revision: number;
  /** Names that stand for another variable. */
  readonly aliases: ReadonlyMap<string, string>;
}

interface Variable {
  readonly type: VariableType;
  readonly shape: readonly number[];
  readonly start: number;
  readonly end: number;
}

interface VariableType {
  readonly name: string;
  readonly bytes: number;
  readonly stored: SafetensorsDType;
}

const NEWEST_VERSION = 6;
/** By the number in the file (CTranslate2's `enum class DataType`). */
const TYPES: readonly VariableType[] = [
  { name: "float32", bytes: 4, stored: "F32" },
  { name: "int8", bytes: 1, stored: "I8" },
  { name: "int16", bytes: 2, stored: "I16" },
  { name: "int32", bytes: 4, stored: "I32" },
  { name: "float16", bytes: 2, stored: "F16" },
  { name: "bfloat16", bytes: 2, stored: "BF16" },
];
/** Before version 4 the size of an element stands for its type. */
const TYPE_OF_SIZE: Readonly<Record<number, VariableType>> = { 4: TYPES[0], 2: TYPES[2], 1: TYPES[1] };
const MOST_AXES = 16;

/** An opened model of CTranslate2: quantised weights come out as float32. */
export class CTranslate2File extends LazyWeights {
  readonly metadata: CTranslate2Metadata;

  /** @internal Use {@link readCTranslate2}. */
  constructor(source: ByteSource, variables: ReadonlyMap<string, Variable>, metadata: CTranslate2Metadata) {
    const entries = new Map<string, LazyEntry>();
    for (const [name, variable] of variables)
      entries.set(name, lazyVariable(source, name, variable, variables.get(`${name}_scale`)));
    for (const [alias, name] of metadata.aliases) {
      // a scale of its own counts before that of what it stands for, as in CTranslate2
      const scale =
        variables.get(`${alias}_scale`) ?? variables.get(metadata.aliases.get(`${alias}_scale`) ?? "");
      entries.set(
        alias,
        scale === undefined ? entries.get(name)! : lazyVariable(source, alias, variables.get(name)!, scale),
      );
    }
    super(source.name, entries);
    this.metadata = metadata;
  }
}

function lazyVariable(
  source: ByteSource,
  name: string,
  variable: Variable,
  scale: Variable | undefined,
): LazyEntry {
  const { type, shape, start } = variable;
  const where = `${source.name}: tensor ${JSON.stringify(name)} at offset ${start}`;
  const read = async (of: Variable, signal: AbortSignal | undefined): Promise<HostEntry> => {
    const bytes = of.start === of.end ? new Uint8Array(0) : await source.read(of.start, of.end, signal);
    return decode(where, { dtype: of.type.stored, shape: of.shape, bytes }, true);
  };
  const isQuantised = scale !== undefined && (type.name === "int8" || type.name === "int16");
  if (isQuantised) {
    const scales = elementsOf(where, scale.shape);
    if (!/float/.test(scale.type.name) || (scales !== 1 && scales !== shape[0]))
      throw new WeightsError(
        `${where}: expected one scale, or one for each of its ${shape[0]} rows, in float32, got ${scale.type.name} [${scale.shape.join(", ")}]; the file is damaged`,
      );
  }
  const load = async (signal?: AbortSignal): Promise<HostEntry> => {
    const stored = await read(variable, signal);
    if (!isQuantised) return stored;
    const scales = (await read(scale, signal)).values as Float32Array;
    const quantised = stored.values as Int32Array;
    const values = new Float32Array(quantised.length);
    const perScale = scales.length === 1 ? values.length : values.length / scales.length;
    // a weight w is stored as round(w · scale)
    for (let row = 0, at = 0; at < values.length; row++)
      for (const rowEnd = at + perScale; at < rowEnd; at++) values[at] = quantised[at] / scales[row];
    return { dtype: "float32", shape, values };
  };
  return { dtype: type.name, shape, where, load };
}

/** Length with the closing zero, and text. */
async function readText(reader: FrontReader, what: string): Promise<string> {
  await reader.ensure(2);
  const length = reader.uint16(`the length of ${what}`);
  await reader.ensure(length);
  const { offset } = reader;
  const bytes = reader.bytes(what, length);
  let text: string | undefined;
  try {
    if (bytes.at(-1) === 0)
      text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(0, -1));
  } catch {
    // not UTF-8, which the error below says
  }
  if (text === undefined)
    throw new WeightsError(
      `${reader.source.name}: expected ${what} as UTF-8 that ends with 0 at offset ${offset}, got other bytes; the file is damaged or another format`,
    );
  return text;
}

async function readVariable(reader: FrontReader, name: string, version: number): Promise<Variable> {
  const what = `tensor ${JSON.stringify(name)}`;
  const fail = (expected: string, got: string): never => {
    throw new WeightsError(
      `${reader.source.name}: ${what}: expected ${expected} before offset ${reader.offset}, got ${got}; the file is damaged`,
    );
  };
  await reader.ensure(1 + 4 * MOST_AXES + 5);
  const rank = reader.uint8(`the rank of ${what}`);
  if (rank > MOST_AXES) fail(`at most ${MOST_AXES} axes`, String(rank));
  const shape = Array.from({ length: rank }, () => reader.uint32(`the shape of ${what}`));
  const code = reader.uint8(`the type of ${what}`);
  const type = version >= 4 ? TYPES[code] : TYPE_OF_SIZE[code];
  if (type === undefined) return fail("a type of CTranslate2", `number ${code}`);
  const count = reader.uint32(`the size of ${what}`);
  const bytes = version >= 4 ? count : count * type.bytes;
  const expected = elementsOf(`${reader.source.name}: ${what}`, shape) * type.bytes;
  if (bytes !== expected) fail(`${expected} bytes for ${type.name} [${shape.join(", ")}]`, `${bytes}`);
  const start = reader.skip(`the values of ${what}`, bytes);
  return { type, shape, start, end: start + bytes };
}

/** Opens bytes as a model of CTranslate2. */
export async function openCTranslate2(
  source: ByteSource,
  { signal }: ReadOptions = {},
): Promise<CTranslate2File> {
  const reader = new FrontReader(source, signal);
  const fail = (expected: string, got: string): never => {
    throw new WeightsError(`${source.name}: expected ${expected}, got ${got}; the file is damaged`);
  };
  await reader.ensure(4);
  const binaryVersion = reader.uint32("the version");
  if (binaryVersion < 1 || binaryVersion > NEWEST_VERSION)
    fail(
      `a model of CTranslate2 of version 1 to ${NEWEST_VERSION}`,
      `version ${binaryVersion}; is it another format?`,
    );
  const spec = binaryVersion >= 2 ? await readText(reader, "the name of the model's kind") : "";
  await reader.ensure(8);
  const revision = binaryVersion >= 2 ? reader.uint32("the revision") : 1;
  const count = reader.uint32("the number of variables");
  const variables = new Map<string, Variable>();
  for (let index = 0; index < count; index++) {
    const name = await readText(reader, `the name of variable ${index} of ${count}`);
    if (variables.has(name)) fail(`tensor ${JSON.stringify(name)} once`, "it twice");
    variables.set(name, await readVariable(reader, name, binaryVersion));
  }
  const aliases = new Map<string, string>();
  if (binaryVersion >= 3) {
    await reader.ensure(4);
    const aliasCount = reader.uint32("the number of aliases");
    for (let index = 0; index < aliasCount; index++) {
      const alias = await readText(reader, `alias ${index} of ${aliasCount}`);
      const name = await readText(reader, `the name behind alias ${index}`);
      if (variables.has(alias) || aliases.has(alias))
        fail(`tensor ${JSON.stringify(alias)} once`, "it twice");
      if (!variables.has(name))
        fail(`a tensor for the alias ${JSON.stringify(alias)}`, `${JSON.stringify(name)}, which is none`);
      aliases.set(alias, name);
    }
  }
  if (reader.offset !== source.size)
    fail(`${reader.offset} bytes`, `${source.size}, some of which belong to no tensor`);
  return new CTranslate2File(source, variables, { binaryVersion, spec, revision, aliases });
}

/**
 * Opens the `model.bin` of a model of CTranslate2 (binary versions 1 to 6). Only names and shapes are read now; each
 * tensor is read when asked for: float16, bfloat16 and float32 as float32, int8 and int16 with a `…_scale` beside them
 * as float32 too (`value / scale`), other integers as int32. Aliases are names like others.
 * @param source A path (Node), an `http(s)` or `file` URL, a `Blob` or `File`, or bytes.
 * @throws WeightsError for a damaged file, DownloadError when a server does not give it.
 * @see https://github.com/OpenNMT/CTranslate2 (`python/ctranslate2/specs/model_spec.py`)
 * @example
 * const model = await readCTranslate2("model.bin");
 * const embedding = await model.tensor("encoder/embeddings/weight");
 */
export async function readCTranslate2(
  source: WeightsSource,
  options: ReadOptions = {},
): Promise<CTranslate2File> {
  assertOptions("readCTranslate2", options, ["signal"]);
  return openCTranslate2(await openSource(source, options.signal), options);
}
