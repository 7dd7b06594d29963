/**
 * The release rehearsal: versions and tarballs as a release would make them, then the tarballs used as a stranger
 * would: in an empty Node project, in a Vite app and in a plain page with an import map.
 */
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { problemsOfCommand, runCommand, workspaceTool } from "../commands.mjs";
import { ROOT } from "../files.mjs";
import { temporaryFolder } from "../workspace-copy.mjs";
import { resultOfPage } from "./page.mjs";
import { stageRelease } from "./stage.mjs";

/** Staged once; every step uses it. */
let staging;
const staged = () => {
  staging ??= stageRelease();
  return staging;
};

/** A release raises every published package above 0.0.0. */
export async function versionAndPack() {
  const { packed } = await staged();
  return packed
    .filter(({ version }) => version === "0.0.0")
    .map(({ name }) => `${name}: still at 0.0.0 after changeset version; add a changeset`);
}

/** What publint, are-the-types-wrong and the list of files say of one tarball. */
export async function problemsOfTarball(name, tarball) {
  const bytes = await readFile(tarball);
  const content = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  const { messages, pkg } = await publint({ pack: { tarball: content }, strict: true });
  const { output } = await runCommand("tar", ["-tzf", tarball]);
  const unwanted = output
    .split("\n")
    .filter((path) => /\.(test|bench)\.|\/fixtures\/|tsbuildinfo/.test(path));
  return [
    ...messages.map((message) => `${name}: publint: ${formatMessage(message, pkg)}`),
    ...unwanted.map((path) => `${name}: ${path} does not belong into the package`),
    ...(await problemsOfCommand(workspaceTool("attw"), [tarball, "--profile", "esm-only"])),
  ];
}

/** What would be uploaded is well-formed, its types resolve, and no test or fixture is in it. */
export async function inspectPacked() {
  const problems = [];
  for (const { name, tarball } of (await staged()).packed)
    problems.push(...(await problemsOfTarball(name, tarball)));
  return problems;
}

/** `npm publish --dry-run` against an address where nobody answers: nothing can be uploaded by mistake. */
export async function publishDryRun() {
  const problems = [];
  for (const { tarball } of (await staged()).packed)
    problems.push(
      ...(await problemsOfCommand("npm", [
        "publish",
        tarball,
        "--dry-run",
        "--access",
        "public",
        "--registry",
        "http://127.0.0.1:9/",
        "--fetch-retries",
        "0",
      ])),
    );
  return problems;
}

/** A loss for each of five steps, finite and falling. */
export function problemsOfLosses(where, losses) {
  if (!Array.isArray(losses) || losses.length !== 5 || !losses.every(Number.isFinite))
    return [`${where}: expected five finite losses, got ${JSON.stringify(losses)}`];
  return losses[4] < losses[0] ? [] : [`${where}: expected a falling loss, got ${losses.join(", ")}`];
}

/** An empty project with the tarballs installed; dependencies of theirs come from the store when they are there. */
async function project(name, devDependencies = {}) {
  const { packed } = await staged();
  const folder = await temporaryFolder(name);
  const files = Object.fromEntries(packed.map((entry) => [entry.name, `file:${entry.tarball}`]));
  await writeFile(
    join(folder, "package.json"),
    JSON.stringify({
      name,
      private: true,
      type: "module",
      dependencies: files,
      devDependencies,
      pnpm: { overrides: files },
    }),
  );
  const { code, output } = await runCommand(
    "pnpm",
    ["install", "--prefer-offline", "--ignore-workspace", "--no-frozen-lockfile"],
    { cwd: folder },
  );
  if (code !== 0) throw new Error(`${name}: pnpm install failed\n${output}`);
  await cp(fileURLToPath(new URL("train.js", import.meta.url)), join(folder, "train.js"));
  return folder;
}

export async function nodeProject() {
  const folder = await project("node-project");
  await writeFile(
    join(folder, "main.js"),
    'import { train } from "./train.js";\nconsole.log(JSON.stringify(await train("wasm")));\n',
  );
  const { code, output } = await runCommand(process.execPath, ["main.js"], {
    cwd: folder,
    timeoutSeconds: 120,
  });
  if (code !== 0) return [`node main.js: exit code ${code}\n${output}`];
  return [
    ...problemsOfLosses("node main.js", JSON.parse(output.trim().split("\n").at(-1))),
    ...(await problemsOfCommand(join(folder, "node_modules", ".bin", "vision"), ["--help"], { cwd: folder })),
  ];
}

const MAIN =
  'import { train } from "./train.js";\nglobalThis.result = await train("wasm").catch((error) => String(error));\n';

export async function viteApp() {
  const { devDependencies } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
  const folder = await project("vite-app", { vite: devDependencies.vite });
  await writeFile(
    join(folder, "index.html"),
    '<!doctype html><title>Vite app</title><script type="module" src="/main.js"></script>\n',
  );
  await writeFile(join(folder, "main.js"), MAIN);
  await writeFile(join(folder, "vite.config.js"), 'export default { build: { target: "es2022" } };\n');
  const problems = await problemsOfCommand(join(folder, "node_modules", ".bin", "vite"), ["build"], {
    cwd: folder,
  });
  if (problems.length > 0) return problems;
  const { result, errors } = await resultOfPage(join(folder, "dist"));
  return [...errors.map((error) => `Vite app: ${error}`), ...problemsOfLosses("Vite app", result)];
}

export async function plainPage() {
  const folder = await temporaryFolder("plain-page");
  for (const { name, tarball } of (await staged()).packed) {
    const target = join(folder, name.replace("@ai/", ""));
    await mkdir(target);
    const { code, output } = await runCommand("tar", ["-xzf", tarball, "-C", target, "--strip-components=1"]);
    if (code !== 0) throw new Error(output);
  }
  await cp(fileURLToPath(new URL("plain-page.html", import.meta.url)), join(folder, "index.html"));
  await cp(fileURLToPath(new URL("train.js", import.meta.url)), join(folder, "train.js"));
  await writeFile(join(folder, "main.js"), MAIN);
  const { result, errors } = await resultOfPage(folder);
  return [...errors.map((error) => `plain page: ${error}`), ...problemsOfLosses("plain page", result)];
}
