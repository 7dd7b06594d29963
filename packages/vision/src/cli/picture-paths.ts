import { stat } from "node:fs/promises";
import { basename, extname, join, normalize } from "node:path";
import { InputError } from "@ai/tensor";
import { glob } from "tinyglobby";

const PICTURES = "*.{jpg,jpeg,png,webp,gif}";

/** Whether a text is a URL, not a path. */
export const isUrl = (text: string): boolean =>
  /^[a-z][a-z\d+.-]+:\/\//i.test(text) || text.startsWith("data:");

async function kindOf(path: string): Promise<"file" | "folder" | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found === undefined ? undefined : found.isDirectory() ? "folder" : "file";
}

/** Whether there is a file or folder. */
export const isThere = async (path: string): Promise<boolean> => (await kindOf(path)) !== undefined;

/**
 * The pictures that are meant by paths, folders (all below), patterns such as `shots/*.png`, and URLs.
 * @throws InputError for one that means no picture.
 */
export async function expandPictures(words: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const word of words) {
    const kind = isUrl(word) ? "file" : await kindOf(word);
    if (kind === "file") {
      found.push(word);
      continue;
    }
    const isPattern = /[*?[\]{}]/.test(word);
    if (kind === undefined && !isPattern)
      throw new InputError(`${word}: expected a picture, a folder, a pattern or a URL, got nothing there`);
    const matches =
      kind === "folder"
        ? (await glob(`**/${PICTURES}`, { cwd: word, caseSensitiveMatch: false })).map((path) =>
            join(word, path),
          )
        : await glob(word.replaceAll("\\", "/"), { caseSensitiveMatch: false, expandDirectories: false });
    if (matches.length === 0)
      throw new InputError(`${word}: expected pictures (jpg, png, webp, gif), got none there`);
    found.push(...matches.map((path) => normalize(path)).sort());
  }
  return [...new Set(found)];
}

/**
 * Where the drawing of each picture goes: one picture to the file `out`, or into the folder `out`, which several need.
 * @throws InputError for several pictures and one file, a file that is no PNG, or a drawing in place of a picture.
 */
export async function drawingPaths(pictures: readonly string[], out: string): Promise<string[]> {
  const paths = chooseDrawingPaths(pictures, out);
  const read = new Map<string, string>();
  for (const picture of pictures) {
    const file = await identityOf(picture);
    if (file !== undefined) read.set(file, picture);
  }
  for (const path of paths) {
    const picture = read.get((await identityOf(path)) ?? "");
    if (picture !== undefined)
      throw new InputError(
        `--out: expected another place than that of the pictures, got ${path}, where the drawing would replace ${picture}; choose another folder or file`,
      );
  }
  return paths;
}

/** The file itself, by whatever path or link it is reached; undefined where there is none. */
async function identityOf(path: string): Promise<string | undefined> {
  const found = isUrl(path) ? undefined : await stat(path, { bigint: true }).catch(() => undefined);
  return found === undefined ? undefined : `${found.dev} ${found.ino}`;
}

function chooseDrawingPaths(pictures: readonly string[], out: string): string[] {
  const extension = extname(out).toLowerCase();
  if (extension !== "" && extension !== ".png" && /^\.(jpe?g|webp|gif|bmp|tiff?)$/.test(extension))
    throw new InputError(`--out: expected a PNG file or a folder, got ${out}; name it .png`);
  if (extension === ".png") {
    if (pictures.length > 1)
      throw new InputError(`--out: expected a folder for ${pictures.length} pictures, got the file ${out}`);
    return [out];
  }
  const taken = new Set<string>();
  return pictures.map((picture) => {
    const name = isUrl(picture) ? nameOfUrl(picture) : basename(picture, extname(picture));
    let free = name;
    for (let number = 2; taken.has(free); number++) free = `${name}-${number}`;
    taken.add(free);
    return join(out, `${free}.png`);
  });
}

function nameOfUrl(url: string): string {
  if (url.startsWith("data:")) return "picture";
  const last = new URL(url).pathname.split("/").at(-1) ?? "";
  return basename(last, extname(last)) || "picture";
}
