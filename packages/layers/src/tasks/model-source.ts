import { DownloadError, InputError, type ModelFiles, type ModelSource, openModelFiles } from "@ai/tensor";
import type { OwnModels } from "./model-registry.js";
import type { TaskProgress } from "./progress.js";
import { suggestion } from "./spelling.js";
import type { LoadContext } from "./types.js";

/** The files of a model, and which of them holds the weights where the source says so. */
export interface SourceFiles {
  readonly files: ModelFiles;
  readonly weightsFile?: string;
}

const WEIGHTS_NAME = /\.(?:safetensors|safetensors\.index\.json|pth|th|pt|bin|ckpt|npz|onnx|gguf)$/i;
/** In the order in which Transformers looks. */
const USUAL_WEIGHTS = [
  "model.safetensors",
  "model.safetensors.index.json",
  "pytorch_model.bin",
  "pytorch_model.bin.index.json",
];

const inNode = (): boolean => typeof process !== "undefined" && process.versions?.node !== undefined;
const hasScheme = (text: string): boolean =>
  /^[a-z][a-z\d+.-]+:\/\//i.test(text) || /^(?:blob|data|file):/i.test(text);

async function kindOfPath(path: string): Promise<"folder" | "file" | undefined> {
  if (!inNode()) return undefined;
  const { stat } = await import(/* webpackIgnore: true */ "node:fs/promises");
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return undefined;
  return found.isDirectory() ? "folder" : "file";
}

async function bytesOf(content: URL | Uint8Array | string, signal: AbortSignal): Promise<Uint8Array> {
  if (content instanceof Uint8Array) return content;
  if (typeof content === "string") return new TextEncoder().encode(content);
  if (content.protocol === "file:") {
    const { readFile } = await import(/* webpackIgnore: true */ "node:fs/promises");
    return readFile(content, { signal });
  }
  const response = await fetch(content, { signal });
  if (!response.ok)
    throw new DownloadError(`${content}: expected the file of a model, got status ${response.status}`, {
      status: response.status,
    });
  return new Uint8Array(await response.arrayBuffer());
}

async function ownFiles(
  name: string,
  models: OwnModels,
  { signal, operation, hub }: LoadContext,
): Promise<ModelFiles> {
  const [given] = Object.keys(hub);
  if (given !== undefined)
    throw new InputError(
      `${operation}: expected no ${given} with ${name}, which is no repository; leave it out`,
    );
  const { files } = await models[name].load();
  const named = new Map<string, Uint8Array>();
  for (const [path, content] of Object.entries(files)) named.set(path, await bytesOf(content, signal));
  return openModelFiles(named, { signal });
}

/** Downloads as a task tells them: never less than before, also when a server made one start again. */
function downloads({
  onProgress,
}: LoadContext): (progress: {
  readonly file: string;
  readonly loadedBytes: number;
  readonly totalBytes: number;
  readonly bytesPerSecond: number;
  readonly secondsLeft: number | undefined;
}) => void {
  const most = new Map<string, number>();
  return ({ file, loadedBytes, totalBytes, bytesPerSecond, secondsLeft }) => {
    const done = Math.max(loadedBytes, most.get(file) ?? 0);
    most.set(file, done);
    const progress: TaskProgress = {
      phase: "download",
      message: `${file}: ${done} of ${totalBytes} bytes`,
      file,
      done,
      total: totalBytes,
      bytesPerSecond,
      ...(secondsLeft === undefined ? {} : { secondsLeft }),
    };
    onProgress(progress);
  };
}

/** A path or URL of a single file as its folder and its name. */
function splitFile(text: string): { folder: string; file: string } | undefined {
  const [, folder, file] = /^(.*[\\/])?([^\\/?#]+)(?:[?#].*)?$/.exec(text) ?? [];
  return file !== undefined && WEIGHTS_NAME.test(file) ? { folder: folder ?? "./", file } : undefined;
}

/**
 * Opens a model's files. A text is a name of ours, a URL, a folder, a file of weights, or a repository `owner/name`.
 * @throws InputError for a name that is none of these: the nearest of ours and all of them are in its message.
 */
export async function openSourceFiles(
  model: ModelSource,
  { ownModels, task }: { readonly ownModels: OwnModels; readonly task: string },
  context: LoadContext,
): Promise<SourceFiles> {
  const { signal, hub, operation } = context;
  const options = { ...hub, signal, onProgress: downloads(context) };
  if (typeof model !== "string" && !(model instanceof URL))
    return { files: await openModelFiles(model, options) };
  const text = String(model);
  const names = Object.keys(ownModels).filter((name) => ownModels[name].tasks.includes(task));
  if (names.includes(text)) return { files: await ownFiles(text, ownModels, context) };
  const isUrl = hasScheme(text);
  const kind = isUrl ? undefined : await kindOfPath(text);
  if (kind === undefined && Object.hasOwn(ownModels, text))
    throw new InputError(
      `${operation}: expected a model for ${task}, got ${text}, which is for ${ownModels[text].tasks.join(", ")}; load it with that task${names.length === 0 ? "" : ` or take ${names.join(" or ")}`}`,
    );
  const split = splitFile(text);
  if (split !== undefined && (isUrl || kind === "file" || (!inNode() && kind === undefined)))
    return { files: await openModelFiles(split.folder, options), weightsFile: split.file };
  if (kind === undefined && !/[\\/:]/.test(text) && !text.startsWith("."))
    throw new InputError(
      `${operation}: expected a model, got ${JSON.stringify(text)}${suggestion(text, names)}; a repository of the hub is owner/name, a folder ./name`,
    );
  return { files: await openModelFiles(model, options) };
}

/** The names of a model's files; undefined for a URL, which cannot be listed. */
export async function listedPaths(files: ModelFiles): Promise<readonly string[] | undefined> {
  try {
    return (await files.list()).map(({ path }) => path);
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

/** A file's text; undefined where there is no such file. */
export async function textIfThere(
  files: ModelFiles,
  paths: readonly string[] | undefined,
  name: string,
): Promise<string | undefined> {
  if (paths !== undefined) return paths.includes(name) ? files.readText(name) : undefined;
  try {
    return await files.readText(name);
  } catch (error) {
    if (error instanceof DownloadError && (error.status === 404 || error.status === 403)) return undefined;
    throw error;
  }
}

/** Which file holds the weights. @throws InputError when none or several could. */
export function weightsFileOf(files: ModelFiles, paths: readonly string[] | undefined): string {
  if (paths === undefined) return USUAL_WEIGHTS[0];
  const usual = USUAL_WEIGHTS.find((name) => paths.includes(name));
  if (usual !== undefined) return usual;
  const found = paths.filter((path) => WEIGHTS_NAME.test(path));
  if (found.length === 1) return found[0];
  throw new InputError(
    `${files.name}: expected ${USUAL_WEIGHTS[0]} or another file of weights, got ${found.length === 0 ? `${paths.slice(0, 10).join(", ") || "no files"}` : `several: ${found.slice(0, 10).join(", ")}`}; name it with weightsFile`,
  );
}
