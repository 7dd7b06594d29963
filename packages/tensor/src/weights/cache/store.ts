import type { ByteSource } from "../byte-source.js";
import type { Checksum } from "../http/checksum.js";
import type { PartialFile } from "../http/download.js";

/** A file of a repository, as the hub lists it. */
export interface HubFile {
  /** Segments with `/`. */
  readonly path: string;
  readonly size: number;
  readonly checksum: Checksum;
  /** Git's name of what the repository itself holds: of a large file a note that leads to it. */
  readonly blobId?: string;
}

/** A file that a cache has. */
export interface KeptFile {
  readonly path: string;
  readonly sizeBytes: number;
}

/** What one repository has in a cache. */
export interface RepositoryStore {
  /** The commit that a branch or tag meant when it was last seen. */
  commitOf(revision: string): Promise<string | undefined>;
  /** Notes which commit a branch or tag means. */
  setCommit(revision: string, commit: string): Promise<void>;
  /** The whole listing of a commit, if it was kept. */
  listing(commit: string): Promise<ReadonlyMap<string, HubFile> | undefined>;
  setListing(commit: string, files: ReadonlyMap<string, HubFile>): Promise<void>;
  /** The files of a commit that are here. */
  kept(commit: string): Promise<readonly KeptFile[]>;
  /** A file that is here; one of another size than `expected` is not taken. */
  find(commit: string, path: string, expected?: HubFile): Promise<ByteSource | undefined>;
  /** Keeps a file: `fill` brings its bytes, what an interrupted call left is there already. */
  keep(
    commit: string,
    file: HubFile,
    fill: (partial: PartialFile) => Promise<void>,
    signal: AbortSignal | undefined,
  ): Promise<ByteSource>;
}

/** `models--owner--name`, as the Python library calls the folder of a repository. */
export function repositoryFolder(id: string): string {
  return `models--${id.replaceAll("/", "--")}`;
}
