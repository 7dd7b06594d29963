/**
 * Writes `dist/browser.js` and `dist/browser.d.ts` of the package in the current folder: one minified ES module
 * with everything that its entries export, for pages without a bundler. Called by each package's build.
 *
 * Other `@ai/*` packages stay external, so that a page loads `@ai/tensor` once for all of them (one import map).
 * `@tensorflow/*` and our own dynamic imports are put inside; what only Node has (`node:*`, `webgpu`) is left alone.
 *
 * A worker sees no import map, so each `<name>.worker.js` below `dist/` also becomes `dist/<name>.worker.js` with all that
 * it imports: `new URL("./<name>.worker.js", import.meta.url)` finds it from `dist/browser.js`.
 */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** Entries that have no place in a page: test helpers, the bundle itself, the manifest. */
const LEFT_OUT = new Set(["./testing", "./browser", "./package.json"]);

/** The compiled files of a package's entries, for example `["./index.js", "./training/index.js"]`. */
export function browserEntries(manifest) {
  return Object.entries(manifest.exports)
    .filter(([name]) => !LEFT_OUT.has(name))
    .map(([, target]) => target.default.replace("./dist/", "./"));
}

/** The source of a module that exports what all entries export. */
export function browserModule(entries) {
  return entries.map((entry) => `export * from "${entry}";\n`).join("");
}

const ONLY_IN_NODE = ["node:*", "webgpu", "@tensorflow/tfjs-node", "@tensorflow/tfjs-node-gpu", "vitest"];

const SHARED = {
  bundle: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  minify: true,
  sourcemap: true,
  logLevel: "warning",
  metafile: true,
};

/** Bundles each worker of a package for pages without a bundler. @returns name and size of each. */
export async function bundleWorkers(folder) {
  const dist = join(folder, "dist");
  const workers = [];
  for (const path of await readdir(dist, { recursive: true })) {
    if (!path.endsWith(".worker.js") || dirname(path) === ".") continue;
    const outfile = join(dist, basename(path));
    const { metafile } = await build({
      ...SHARED,
      entryPoints: [join(dist, path)],
      outfile,
      external: ONLY_IN_NODE,
    });
    const [, { bytes }] = Object.entries(metafile.outputs).find(([name]) => name.endsWith(".worker.js"));
    workers.push({ name: basename(path), bytes });
  }
  return workers;
}

export async function bundleBrowser(folder) {
  const manifest = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const dist = join(folder, "dist");
  const source = browserModule(browserEntries(manifest));
  const result = await build({
    ...SHARED,
    stdin: { contents: source, resolveDir: dist, sourcefile: "browser-entries.js" },
    outfile: join(dist, "browser.js"),
    external: ["@ai/*", ...ONLY_IN_NODE],
  });
  await writeFile(join(dist, "browser.d.ts"), source);
  return Object.entries(result.metafile.outputs).find(([name]) => name.endsWith("browser.js"))[1].bytes;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const bytes = await bundleBrowser(process.cwd());
  const workers = await bundleWorkers(process.cwd());
  for (const { name, bytes: size } of [{ name: "browser.js", bytes }, ...workers])
    console.log(`dist/${name}: ${(size / 1024).toFixed(0)} KiB`);
}
