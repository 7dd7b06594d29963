import { assertOptions } from "../arguments.js";
import { InputError } from "../errors.js";
import type { ByteSource } from "./byte-source.js";
import { isFileName, joinNames } from "./file-names.js";
import type { Checksum } from "./http/checksum.js";
import type { ProgressListener } from "./http/progress.js";

/** A file of a model. */
export interface ModelFile {
  /** Segments with `/`, from the model's folder on. */
  readonly path: string;
  /** Absent where the size is known only when the file is opened. */
  readonly sizeBytes?: number;
  /** What the hub says that its bytes give. */
  readonly checksum?: Checksum;
}

/** Options of what reads a model's files. */
export interface OpenFileOptions {
  /** Aborts a download or a read; what came so far is kept. Default the signal of `openModelFiles`. */
  readonly signal?: AbortSignal;
  /** Told about downloads, at most ten times a second for each file. Default that of `openModelFiles`. */
  readonly onProgress?: ProgressListener;
}

/** Options of {@link ModelFiles.download}. */
export interface DownloadOptions extends OpenFileOptions {
  /** Which files; all when left out. */
  readonly files?: readonly string[];
}

/** Where files come from; paths are checked already. */
export interface FileProvider {
  /** What errors call it. */
  readonly name: string;
  /** The commit, of a repository. */
  readonly commit?: string | undefined;
  list(signal: AbortSignal | undefined): Promise<readonly ModelFile[]>;
  open(path: string, options: OpenFileOptions): Promise<ByteSource>;
}

/** The files of a model, wherever they are: a folder, a URL, a repository, files that a user chose. */
export class ModelFiles {
  /** What errors call it: the path, URL or repository id. */
  readonly name: string;
  /** The commit that all files are of, for a repository of the hub. */
  readonly commit: string | undefined;
  readonly #provider: FileProvider;
  readonly #subfolder: string;
  readonly #defaults: OpenFileOptions;

  /** @internal Use `openModelFiles`. */
  constructor(provider: FileProvider, subfolder: string, defaults: OpenFileOptions) {
    this.#provider = provider;
    this.#subfolder = subfolder;
    this.#defaults = defaults;
    this.name = joinNames(provider.name, subfolder).replace(/\/$/, "");
    this.commit = provider.commit;
  }

  /**
   * All files, by path.
   * @throws InputError for a URL, which cannot be listed; DownloadError when the hub does not answer.
   */
  async list(options: Pick<OpenFileOptions, "signal"> = {}): Promise<readonly ModelFile[]> {
    assertOptions("list", options, ["signal"]);
    const signal = options.signal ?? this.#defaults.signal;
    signal?.throwIfAborted();
    const start = this.#subfolder === "" ? "" : `${this.#subfolder}/`;
    const files = await this.#provider.list(signal);
    return files
      .filter(({ path }) => path.startsWith(start))
      .map((file) => ({ ...file, path: file.path.slice(start.length) }));
  }

  /**
   * Opens a file for reading by ranges; a file of the hub is downloaded first if the cache has it not.
   * @param file Its path in the model's folder.
   * @throws InputError for a path that leads out of the folder, WeightsError or DownloadError when it cannot be had,
   * the signal's reason.
   */
  async open(file: string, options: OpenFileOptions = {}): Promise<ByteSource> {
    assertOptions("open", options, ["signal", "onProgress"]);
    if (!isFileName(file))
      throw new InputError(
        `${this.name}: expected the path of a file inside the model's folder, got ${JSON.stringify(file)}; it must not be absolute or contain "..", "\\" or ":"`,
      );
    const merged = { ...this.#defaults, ...options };
    merged.signal?.throwIfAborted();
    const source = await this.#provider.open(joinNames(this.#subfolder, file), merged);
    const folder = file.replace(/(?:^|\/)[^/]*$/, "");
    return {
      ...source,
      sibling: (name, signal) =>
        this.open(joinNames(folder, name), { ...options, ...(signal === undefined ? {} : { signal }) }),
    };
  }

  /** A whole file. @throws as {@link ModelFiles.open} does. */
  async read(file: string, options: OpenFileOptions = {}): Promise<Uint8Array> {
    const source = await this.open(file, options);
    return source.read(0, source.size, options.signal ?? this.#defaults.signal);
  }

  /** A whole file as text in UTF-8. @throws as {@link ModelFiles.open} does, InputError for other bytes. */
  async readText(file: string, options: OpenFileOptions = {}): Promise<string> {
    const bytes = await this.read(file, options);
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      throw new InputError(`${this.name}/${file}: expected text in UTF-8, got other bytes`);
    }
  }

  /**
   * Brings files into the cache, one after the other, so that they open without a network later.
   * @throws as {@link ModelFiles.open} does.
   */
  async download(options: DownloadOptions = {}): Promise<void> {
    assertOptions("download", options, ["files", "signal", "onProgress"]);
    const { files, ...rest } = options;
    const signal = options.signal ?? this.#defaults.signal;
    const paths = files ?? (await this.list(signal === undefined ? {} : { signal })).map(({ path }) => path);
    for (const path of paths) await this.open(path, rest);
  }
}
