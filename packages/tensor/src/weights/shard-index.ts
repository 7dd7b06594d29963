import { WeightsError } from "../errors.js";
import type { ByteSource } from "./byte-source.js";
import { parseStrictJson, type StrictJson, StrictJsonProblem } from "./strict-json.js";

/** As for a header of safetensors. */
const MOST_INDEX_BYTES = 100_000_000;
const MAX_DEPTH = 16;

/**
 * Reads the index of a sharded model: `{ "metadata": …, "weight_map": { NAME: FILE } }`.
 * @returns names of tensors by file, in the order of the index
 * @throws WeightsError for anything else, for a name given twice, and for a file that does not lie beside the index.
 */
export async function readShardIndex(
  index: ByteSource,
  signal: AbortSignal | undefined,
): Promise<Map<string, string[]>> {
  const fail = (problem: string): never => {
    throw new WeightsError(
      `${index.name}: expected an index with a weight_map of names to files beside it, got ${problem}`,
    );
  };
  if (index.size > MOST_INDEX_BYTES) return fail(`${index.size} bytes`);
  const bytes = await index.read(0, index.size, signal);
  let root: StrictJson;
  try {
    root = parseStrictJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes), MAX_DEPTH);
  } catch (error) {
    if (error instanceof StrictJsonProblem) return fail(`${error.problem} at character ${error.position}`);
    return fail("bytes that are not UTF-8");
  }
  const map = root instanceof Map ? root.get("weight_map") : undefined;
  if (!(map instanceof Map)) return fail("none");
  const files = new Map<string, string[]>();
  for (const [name, file] of map as ReadonlyMap<string, StrictJson>) {
    // a name in a downloaded index must not lead out of its folder
    if (typeof file !== "string" || /[/\\:\0]|^\.+$|^$/.test(file))
      return fail(`the file name ${JSON.stringify(file)} for tensor ${JSON.stringify(name)}`);
    const names = files.get(file);
    if (names === undefined) files.set(file, [name]);
    else names.push(name);
  }
  return files;
}
