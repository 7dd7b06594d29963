/** Who may import whom, that nobody reaches into another package's files. The drawing is in ARCHITECTURE.md. */
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

/** Why a file must not import a relative path. */
function relativeProblem(path, owner, specifier) {
  const target = posix.normalize(posix.join(posix.dirname(path), specifier));
  const [kind, name, folder] = target.split("/");
  if (kind === "packages" && name !== owner && folder === "src")
    return `reaches into another package's files; import @ai/${name}`;
  if (owner !== undefined && !target.startsWith(`packages/${owner}/`) && !/\.(test|bench)\.ts$/.test(path))
    return "leaves the package; what it needs must come from a package";
  return undefined;
}

/** Why a file must not import tfjs. */
function tfjsProblem(path, specifier) {
  if (!MAY_IMPORT_TFJS.test(path)) return "only @ai/tensor may import tfjs; use @ai/tensor's functions";
  return path.startsWith("packages/tensor/src/") && specifier.split("/").length > 2
    ? "only root exports of tfjs work in Node"
    : undefined;
}

/** Why a file must not import an entry of one of our packages. */
function packageProblem(path, owner, specifier, exports) {
  const imported = specifier.split("/")[1];
  if (exports[imported] === undefined) return "there is no such package";
  if (!exports[imported].includes(specifier))
    return `is not a public entry; public are ${exports[imported].join(", ")}`;
  if (imported === owner) return "a package imports its own files by relative path";
  if (owner === undefined) return undefined;
  const rule = DIRECTIONS[owner]?.find(({ name }) => name === imported);
  if (rule === undefined) return `@ai/${owner} may not import @ai/${imported}`;
  return rule.only === undefined || rule.only.test(path)
    ? undefined
    : `only files that match ${rule.only} may import @ai/${imported}`;
}

/** webpack stops at a module of Node's unless told to leave it: pages never come there. */
const BUNDLED_NODE_MODULE = /\bimport\(\s*(["'`])(node:[^"'`]+)\1/g;

function nodeImportProblems({ path, text }) {
  if (!/^packages\/[^/]+\/src\//.test(path) || /\.test\.ts$|\/testing\//.test(path)) return [];
  return [...text.matchAll(BUNDLED_NODE_MODULE)].map(
    ([, , specifier]) =>
      `${path}: ${JSON.stringify(specifier)}: bundlers of pages stop here; write import(/* webpackIgnore: true */ ${JSON.stringify(specifier)})`,
  );
}

/**
 * The problems of one file.
 * @param exports Public entries by package: `{ tensor: ["@ai/tensor", "@ai/tensor/testing"] }`.
 */
export function problemsOf({ path, text }, exports) {
  const owner = /^packages\/([^/]+)\//.exec(path)?.[1];
  const ofImports = importsOf(text).flatMap((specifier) => {
    let problem;
    if (specifier.startsWith(".")) problem = relativeProblem(path, owner, specifier);
    else if (specifier.startsWith("@tensorflow/")) problem = tfjsProblem(path, specifier);
    else if (specifier.startsWith("@ai/")) problem = packageProblem(path, owner, specifier, exports);
    return problem === undefined ? [] : [`${path}: ${JSON.stringify(specifier)}: ${problem}`];
  });
  return [...ofImports, ...nodeImportProblems({ path, text })];
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
