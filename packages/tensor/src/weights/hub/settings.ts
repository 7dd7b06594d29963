import { InputError, WeightsError } from "../../errors.js";
import { inBrowser } from "../byte-source.js";
import { assertNoPassword, type Credentials } from "../http/request.js";

const DEFAULT_ENDPOINT = "https://huggingface.co";

/** Where a downloaded model is kept. */
export type CacheKind = "disk" | "opfs" | "cache-storage" | "none";

/** How the hub and the cache are reached; what is left out comes from the environment (Node). */
export interface CacheOptions {
  /** Folder of the cache (Node). Default `HF_HUB_CACHE`, `HF_HOME/hub`, `~/.cache/huggingface/hub`. */
  readonly cacheFolder?: string;
  /**
   * `"disk"` (Node), `"opfs"` or `"cache-storage"` (browsers); `"none"` reads by ranges and keeps nothing.
   * Default the first that there is.
   */
  readonly cache?: CacheKind;
}

/** How the hub is asked; what is left out comes from the environment (Node). */
export interface HubOptions extends CacheOptions {
  /** Default `HF_ENDPOINT`, `https://huggingface.co`. */
  readonly endpoint?: string | URL;
  /** For private models; `false` sends none. Default `HF_TOKEN`, else the file that `hf auth login` writes. */
  readonly token?: string | false;
  /** Uses what the cache has and never the network. Default `HF_HUB_OFFLINE`. */
  readonly offline?: boolean;
}

/** {@link HubOptions}, completed. */
export interface HubSettings {
  readonly endpoint: URL;
  readonly credentials: Credentials | undefined;
  readonly offline: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

function environment(): Environment {
  return globalThis.process?.env ?? {};
}

function isTrue(text: string | undefined): boolean {
  return /^(?:1|true|yes|on)$/i.test(text ?? "");
}

/** `~` and `$NAME` as the Python library replaces them. */
async function expand(path: string): Promise<string> {
  const { homedir } = await import(/* webpackIgnore: true */ "node:os");
  return path
    .replace(/^~(?=$|[/\\])/, () => homedir())
    .replace(/\$(?:(\w+)|\{(\w+)\})/g, (text, plain, braced) => environment()[plain ?? braced] ?? text);
}

async function homeFolder(): Promise<string> {
  const { join } = await import(/* webpackIgnore: true */ "node:path");
  const { HF_HOME, XDG_CACHE_HOME } = environment();
  return expand(HF_HOME || join(XDG_CACHE_HOME || join("~", ".cache"), "huggingface"));
}

/** The cache folder of the options, else of the environment, as the Python library finds it (Node). */
export async function cacheFolderOf({ cacheFolder }: CacheOptions): Promise<string> {
  const { join, resolve } = await import(/* webpackIgnore: true */ "node:path");
  const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE } = environment();
  return resolve(
    await expand(cacheFolder || HF_HUB_CACHE || HUGGINGFACE_HUB_CACHE || join(await homeFolder(), "hub")),
  );
}

/** Whether snapshots may hold links: `HF_HUB_DISABLE_SYMLINKS` is the Python library's. */
export function mayLink(): boolean {
  return !isTrue(environment().HF_HUB_DISABLE_SYMLINKS);
}

/** The token of the environment, else of the file that `hf auth login` writes. */
async function ownToken(): Promise<string | undefined> {
  if (inBrowser() || isTrue(environment().HF_HUB_DISABLE_IMPLICIT_TOKEN)) return undefined;
  const { HF_TOKEN, HUGGING_FACE_HUB_TOKEN, HF_TOKEN_PATH } = environment();
  const named = (HF_TOKEN || HUGGING_FACE_HUB_TOKEN)?.trim();
  if (named) return named;
  const { readFile } = await import(/* webpackIgnore: true */ "node:fs/promises");
  const { join } = await import(/* webpackIgnore: true */ "node:path");
  const path = HF_TOKEN_PATH ? await expand(HF_TOKEN_PATH) : join(await homeFolder(), "token");
  try {
    return (await readFile(path, "utf8")).trim() || undefined;
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw new WeightsError(
      `${path}: expected the file of the token to be readable, got ${(error as Error).message}; pass token: false to do without`,
    );
  }
}

function parseEndpoint(text: string | URL): URL {
  let url: URL;
  try {
    url = new URL(String(text).replace(/\/+$/, ""));
  } catch {
    throw new InputError(
      `openModelFiles: expected endpoint as a URL such as ${DEFAULT_ENDPOINT}, got something else`,
    );
  }
  if (!/^https?:$/.test(url.protocol))
    throw new InputError(`openModelFiles: expected endpoint to be http or https, got ${url.protocol}`);
  assertNoPassword("openModelFiles", url);
  return url;
}

/**
 * Completes the options from the environment. The environment's token belongs to the environment's endpoint: another
 * one, named as an option, gets a token only as an option.
 * @throws InputError for an endpoint or a token that cannot be one.
 */
export async function hubSettings(options: HubOptions): Promise<HubSettings> {
  const usual = parseEndpoint(environment().HF_ENDPOINT || DEFAULT_ENDPOINT);
  const endpoint = options.endpoint === undefined ? usual : parseEndpoint(options.endpoint);
  let token: string | undefined;
  if (options.token !== undefined) token = options.token === false ? undefined : options.token;
  else if (endpoint.origin === usual.origin) token = await ownToken();
  // fetch would show it in its own error
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token))
    throw new InputError(
      "openModelFiles: expected a token of visible ASCII characters, got another; copy it again from the hub's settings",
    );
  const { HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE } = environment();
  return {
    endpoint,
    credentials: token === undefined ? undefined : { token, origin: endpoint.origin },
    offline: options.offline ?? isTrue(HF_HUB_OFFLINE || TRANSFORMERS_OFFLINE),
  };
}
