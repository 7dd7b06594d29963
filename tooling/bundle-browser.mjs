/**
 * Writes `dist/browser.js` and `dist/browser.d.ts` of the package in the current folder: one minified ES module
 * with everything that its entries export, for pages without a bundler. Called by each package's build.
 *
 * Other `@ai/*` packages stay external, so that a page loads `@ai/tensor` once for all of them (one import map).
 * `@tensorflow/*` and our own dynamic imports are put inside; what only Node has (`node:*`, `webgpu`) is left alone.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
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

export async function bundleBrowser(folder) {
  const manifest = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const dist = join(folder, "dist");
  const source = browserModule(browserEntries(manifest));
  const result = await build({
    stdin: { contents: source, resolveDir: dist, sourcefile: "browser-entries.js" },
    outfile: join(dist, "browser.js"),
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    minify: true,
    sourcemap: true,
    external: ["@ai/*", "node:*", "webgpu", "@tensorflow/tfjs-node", "@tensorflow/tfjs-node-gpu", "vitest"],
    logLevel: "warning",
    metafile: true,
  });
  await writeFile(join(dist, "browser.d.ts"), source);
  return Object.entries(result.metafile.outputs).find(([name]) => name.endsWith("browser.js"))[1].bytes;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const bytes = await bundleBrowser(process.cwd());
  console.log(`dist/browser.js: ${(bytes / 1024).toFixed(0)} KiB`);
}
