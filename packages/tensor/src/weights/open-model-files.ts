import { assertOptions } from "../arguments.js";
import { InputError } from "../errors.js";
import { inBrowser } from "./byte-source.js";
import { isFileName } from "./file-names.js";
import { hubFiles } from "./hub/hub-files.js";
import { isRepositoryId } from "./hub/repository.js";
import type { HubOptions } from "./hub/settings.js";
import { chosenFiles, entryFiles, folderFiles, handleFiles, namedFiles, urlFiles } from "./local-files.js";
import { type FileProvider, ModelFiles, type OpenFileOptions } from "./model-files.js";
import { isUrl } from "./sources.js";

/**
 * Where a model is: a path of a folder (Node), the id of a repository (`owner/name`), a URL, files that a user chose
 * or dropped, a handle of a folder, or files by path.
 */
export type ModelSource =
  | string
  | URL
  | Iterable<File>
  | File
  | FileSystemDirectoryHandle
  | FileSystemDirectoryEntry
  | ReadonlyMap<string, Blob | Uint8Array>;

/** Options of {@link openModelFiles}. */
export interface OpenModelOptions extends HubOptions, OpenFileOptions {
  /** Branch, tag or commit of a repository. Default `main`. */
  readonly revision?: string;
  /** Folder inside the model that is taken as its root. */
  readonly subfolder?: string;
}

const HUB_ONLY = ["revision", "endpoint", "token", "offline", "cacheFolder", "cache"] as const;

/** `https://huggingface.co/owner/name/tree/main/folder`, as people copy it, is a repository. */
function parseHubPage(url: URL): { id: string; revision?: string } | undefined {
  if (url.origin !== "https://huggingface.co") return undefined;
  const [owner, name, tree, revision, ...rest] = url.pathname.split("/").filter(Boolean);
  const id = `${owner}/${name}`;
  if (name === undefined || !isRepositoryId(id) || rest.length > 0) return undefined;
  if (tree === undefined) return { id };
  return tree === "tree" && revision !== undefined
    ? { id, revision: decodeURIComponent(revision) }
    : undefined;
}

async function isFolder(path: string): Promise<boolean> {
  const { stat } = await import(/* webpackIgnore: true */ "node:fs/promises");
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

async function providerOf(model: ModelSource, options: OpenModelOptions): Promise<FileProvider> {
  const { revision, signal } = options;
  const hub = (id: string, given = "main"): Promise<FileProvider> =>
    hubFiles(id, revision ?? given, options, signal);
  /** Options that would be ignored are refused. */
  const notHub = (kind: string): void => {
    for (const option of HUB_ONLY)
      if (options[option] !== undefined)
        throw new InputError(
          `openModelFiles: expected ${option} with a repository of the hub, got it with ${kind}; leave it out`,
        );
  };
  if (typeof model === "string" || model instanceof URL) {
    const text = String(model);
    if (isUrl(text)) {
      const url = new URL(text);
      const page = parseHubPage(url);
      if (page !== undefined) return hub(page.id, page.revision);
      notHub("a URL");
      if (url.protocol !== "file:") return urlFiles(url);
      return folderFiles((await import(/* webpackIgnore: true */ "node:url")).fileURLToPath(url));
    }
    const isLocal = !inBrowser() && (!isRepositoryId(text) || (await isFolder(text)));
    if (isLocal) {
      notHub("a folder");
      return folderFiles(text);
    }
    if (isRepositoryId(text)) return hub(text);
    notHub("a URL");
    return urlFiles(new URL(text, globalThis.location.href));
  }
  notHub("files");
  if (model instanceof Map) return namedFiles(model, "files");
  if (typeof Blob !== "undefined" && model instanceof Blob) return chosenFiles([model]);
  if (typeof model === "object" && model !== null) {
    if ("kind" in model && model.kind === "directory") return handleFiles(model);
    if ("createReader" in model) return entryFiles(model);
    if (Symbol.iterator in model) return chosenFiles(model as Iterable<File>);
  }
  throw new InputError(
    `openModelFiles: expected a path, repository id, URL, files or a folder's handle, got ${model === null ? "null" : typeof model}`,
  );
}

/**
 * Finds the files of a model. A string with a scheme is a URL; in Node a folder that exists is taken first; else
 * `owner/name` is a repository of the Hugging Face hub, whose files are downloaded when they are opened: checked
 * against the hub's checksums, and kept in the cache that Python's `huggingface_hub` uses too.
 * @throws InputError for what is no model and for options that it cannot have, DownloadError when the hub refuses or
 * is not reached and the cache has nothing, WeightsError for a folder that is not there, the signal's reason.
 * @example
 * const files = await openModelFiles("prajjwal1/bert-tiny", { onProgress: console.log });
 * const config = JSON.parse(await files.readText("config.json"));
 * const weights = await readSafetensors(await files.open("model.safetensors"));
 */
export async function openModelFiles(
  model: ModelSource,
  options: OpenModelOptions = {},
): Promise<ModelFiles> {
  assertOptions("openModelFiles", options, [
    "subfolder",
    "signal",
    "onProgress",
    "revision",
    "endpoint",
    "token",
    "offline?",
    "cacheFolder",
    "cache",
  ]);
  const { subfolder = "", signal, onProgress } = options;
  signal?.throwIfAborted();
  if (subfolder !== "" && !isFileName(subfolder))
    throw new InputError(
      `openModelFiles: expected subfolder as a path inside the model, got ${JSON.stringify(subfolder)}`,
    );
  const provider = await providerOf(model, options);
  return new ModelFiles(provider, subfolder, {
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
}
