/**
 * What a page downloads that uses one function of a package: bundled from the built package, minified, compressed.
 * Modules that load on demand (`import()`) do not count. `size-budget.json` holds the function and the budget.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { listPackages, ROOT } from "./files.mjs";

/** Compressed bytes of a module that imports one function and keeps it. */
export async function sizeOfImport(specifier, name, resolveDir) {
  const { outputFiles } = await build({
    stdin: {
      contents: `import { ${name} } from ${JSON.stringify(specifier)};\nglobalThis.kept = ${name};\n`,
      resolveDir,
      sourcefile: "one-function.js",
    },
    outdir: join(resolveDir, "nowhere"),
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    minify: true,
    write: false,
    external: ["node:*", "webgpu", "@tensorflow/tfjs-node", "@tensorflow/tfjs-node-gpu"],
    logLevel: "silent",
    metafile: true,
  });
  return entryFiles(outputFiles).reduce((sum, { contents }) => sum + gzipSync(contents).byteLength, 0);
}

/** The entry and the chunks that it imports statically: what loads before the first line runs. */
function entryFiles(outputFiles) {
  const byName = new Map(outputFiles.map((file) => [file.path.split(/[\\/]/).at(-1), file]));
  const loaded = new Set();
  const visit = (file) => {
    if (file === undefined || loaded.has(file)) return;
    loaded.add(file);
    for (const [, name] of file.text.matchAll(/(?:from|import)\s*"\.\/([^"]+)"/g)) visit(byName.get(name));
  };
  visit(outputFiles.find(({ path }) => !/chunk-|start-/.test(path) && /one-function|stdin/.test(path)));
  return [...loaded];
}

/** @param sizes Measured bytes by package. @param budget `{ function, maxBytes }` by package. */
export function problemsOf(sizes, budget) {
  return Object.entries(sizes).flatMap(([name, bytes]) => {
    const row = budget[name];
    if (row === undefined) return [`${name}: has no row in tooling/checks/size-budget.json`];
    if (bytes <= row.maxBytes) return [];
    return [
      `${name}: importing ${row.function} costs ${bytes} bytes compressed, at most ${row.maxBytes}; find what came in, or raise the budget with a reason in the commit`,
    ];
  });
}

export async function check(root = ROOT) {
  const budget = JSON.parse(await readFile(join(root, "tooling/checks/size-budget.json"), "utf8"));
  const sizes = {};
  for (const { folder, manifest } of await listPackages(root)) {
    const row = budget[manifest.name];
    // The package itself is found through a folder of its own: self-reference by name works inside it.
    sizes[manifest.name] = row === undefined ? 0 : await sizeOfImport(manifest.name, row.function, folder);
  }
  const problems = problemsOf(sizes, budget);
  if (problems.length === 0)
    console.log(
      Object.entries(sizes)
        .map(
          ([name, bytes]) =>
            `  ${name} { ${budget[name].function} }: ${bytes} of ${budget[name].maxBytes} bytes`,
        )
        .join("\n"),
    );
  return problems;
}
