import { readdir, readFile } from "node:fs/promises";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Folders that hold nothing of ours: installed, built or written by runs. */
const IGNORED = new Set([
  "node_modules",
  "dist",
  "runs",
  ".git",
  ".turbo",
  ".vitest",
  "coverage",
  "__screenshots__",
  "__pycache__",
  "cache",
]);

/** Every file of the repository, as `folder/name` with forward slashes; works without git. */
export async function listFiles(root = ROOT, folder = "") {
  const files = [];
  for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      if (!IGNORED.has(entry.name)) files.push(...(await listFiles(root, path)));
    } else if (entry.isFile()) files.push(path.split(sep).join("/"));
  }
  return files.sort();
}

/** `{ path, text }` of each file whose path matches. */
export async function readSources(pattern, root = ROOT) {
  const paths = (await listFiles(root)).filter((path) => pattern.test(path));
  return Promise.all(paths.map(async (path) => ({ path, text: await readFile(join(root, path), "utf8") })));
}

/** The published packages: folder, manifest. */
export async function listPackages(root = ROOT) {
  const folders = (await readdir(join(root, "packages"), { withFileTypes: true })).filter((entry) =>
    entry.isDirectory(),
  );
  const packages = [];
  for (const { name } of folders) {
    const folder = join(root, "packages", name);
    const manifest = await readFile(join(folder, "package.json"), "utf8").catch(() => undefined);
    if (manifest !== undefined) packages.push({ name, folder, manifest: JSON.parse(manifest) });
  }
  return packages;
}

/** Whether a path is a test, a benchmark or a test helper: rules for shipped code leave it alone. */
export function isTestCode(path) {
  return /\.(test|bench)\.tsx?$/.test(path) || path.includes("/testing/");
}
