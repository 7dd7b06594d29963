/** Who may import whom, and that nobody reaches into another package's files. The drawing is in ARCHITECTURE.md. */
import { posix } from "node:path";
import ts from "typescript";
import { listPackages, readSources } from "./files.mjs";

/** Packages that each published package may import; `only` limits an exception to some of the importer's files. */
export const DIRECTIONS = {
  tensor: [],
  layers: [{ name: "tensor" }],
  text: [{ name: "tensor" }, { name: "layers" }],
  vision: [{ name: "tensor" }, { name: "layers" }, { name: "text", only: /\/src\/(models\/clip|tasks)\// }],
  speech: [{ name: "tensor" }, { name: "layers" }, { name: "text" }],
  translate: [
    { name: "tensor" },
    { name: "layers" },
    { name: "text" },
    { name: "speech", only: /\/src\/tasks\/speech-translation/ },
  ],
};

/** Outside packages/tensor only the benchmarks import tfjs, as a peer, and a test of ours beside a user's tfjs. */
const MAY_IMPORT_TFJS = /^(packages\/tensor|benchmarks)\//;

/** Every module that a source names: imports, exports, `import()`, type imports. */
export function importsOf(text) {
  return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName);
}

/**
 * The problems of one file.
 * @param exports Public entries by package: `{ tensor: ["@ai/tensor", "@ai/tensor/testing"] }`.
 */
export function problemsOf({ path, text }, exports) {
  const problems = [];
  const owner = /^packages\/([^/]+)\//.exec(path)?.[1];
  const report = (specifier, why) => problems.push(`${path}: ${JSON.stringify(specifier)}: ${why}`);
  for (const specifier of importsOf(text)) {
    if (specifier.startsWith(".")) {
      const target = posix.normalize(posix.join(posix.dirname(path), specifier));
      const [kind, name] = target.split("/");
      if (kind === "packages" && name !== owner && /^src$/.test(target.split("/")[2] ?? ""))
        report(specifier, `reaches into another package's files; import @ai/${name}`);
      if (
        owner !== undefined &&
        !target.startsWith(`packages/${owner}/`) &&
        !/\.(test|bench)\.ts$/.test(path)
      )
        report(specifier, "leaves the package; what it needs must come from a package");
      continue;
    }
    if (specifier.startsWith("@tensorflow/")) {
      if (!MAY_IMPORT_TFJS.test(path))
        report(specifier, "only @ai/tensor may import tfjs; use @ai/tensor's functions");
      else if (owner === "tensor" && specifier.split("/").length > 2)
        report(specifier, "only root exports of tfjs work in Node");
      continue;
    }
    const imported = /^@ai\/([^/]+)/.exec(specifier)?.[1];
    if (imported === undefined) continue;
    if (exports[imported] === undefined) report(specifier, "there is no such package");
    else if (!exports[imported].includes(specifier))
      report(specifier, `is not a public entry; public are ${exports[imported].join(", ")}`);
    if (owner === undefined || imported === owner) {
      if (imported === owner) report(specifier, "a package imports its own files by relative path");
      continue;
    }
    const rule = DIRECTIONS[owner]?.find(({ name }) => name === imported);
    if (rule === undefined) report(specifier, `@ai/${owner} may not import @ai/${imported}`);
    else if (rule.only !== undefined && !rule.only.test(path))
      report(specifier, `only files that match ${rule.only} may import @ai/${imported}`);
  }
  return problems;
}

/** Public entries of each package. */
export function publicEntries(packages) {
  return Object.fromEntries(
    packages.map(({ name, manifest }) => [
      name,
      Object.keys(manifest.exports).map((entry) => posix.join(manifest.name, entry)),
    ]),
  );
}

export async function check(root) {
  const packages = await listPackages(root);
  const exports = publicEntries(packages);
  const problems = packages
    .filter(({ name }) => DIRECTIONS[name] === undefined)
    .map(({ name }) => `packages/${name}: has no row in DIRECTIONS of tooling/checks/package-directions.mjs`);
  for (const file of await readSources(/^(packages|apps|benchmarks)\/.*\.(ts|tsx|mjs|js|vue)$/, root)) {
    if (file.path.startsWith("packages/tensor/wasm/")) continue;
    problems.push(...problemsOf(file, exports));
  }
  return problems;
}
