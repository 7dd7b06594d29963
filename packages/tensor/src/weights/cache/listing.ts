import { isFileName } from "../file-names.js";
import { checksumOf } from "../http/checksum.js";
import { parseStrictJson, type StrictJson } from "../strict-json.js";
import type { HubFile } from "./store.js";

/** As the Python library writes it; another version is not read. */
const FORMAT_VERSION = 1;
const MAX_DEPTH = 6;

/** The text of a commit's listing, in the format of the Python library's `trees/<commit>.json`. */
export function printListing(files: ReadonlyMap<string, HubFile>): string {
  const parts = [...files.values()].map(({ path, size, checksum, blobId }) => {
    const entry =
      checksum.algorithm === "sha256"
        ? { size, blob_id: blobId ?? "", lfs_sha256: checksum.hex, lfs_size: size }
        : { size, blob_id: checksum.hex };
    return `${JSON.stringify(path)}: ${JSON.stringify(entry)}`;
  });
  return `{"format_version": ${FORMAT_VERSION}, "files": {${parts.join(", ")}}}`;
}

/** Reads a listing; `undefined` for a damaged or foreign one. */
export function parseListing(text: string): ReadonlyMap<string, HubFile> | undefined {
  let root: StrictJson;
  try {
    root = parseStrictJson(text, MAX_DEPTH);
  } catch {
    return undefined;
  }
  if (!(root instanceof Map) || root.get("format_version") !== FORMAT_VERSION) return undefined;
  const entries = root.get("files");
  if (!(entries instanceof Map)) return undefined;
  const files = new Map<string, HubFile>();
  for (const [path, entry] of entries as ReadonlyMap<string, StrictJson>) {
    if (!isFileName(path) || !(entry instanceof Map)) return undefined;
    const { lfs_sha256: sha256, lfs_size: lfsSize, blob_id: blobId, size } = Object.fromEntries(entry);
    const checksum = checksumOf(String(sha256 ?? blobId));
    const bytes = lfsSize ?? size;
    if (checksum === undefined || typeof bytes !== "number" || !Number.isSafeInteger(bytes) || bytes < 0)
      return undefined;
    files.set(path, { path, size: bytes, checksum });
  }
  return files;
}
