import { existsSync } from "node:fs";
import { cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand, workspaceTool } from "../commands.mjs";
import { listPackages, ROOT } from "../files.mjs";
import { copyWorkspace } from "../workspace-copy.mjs";

async function mustRun(file, args, cwd) {
  const { code, output } = await runCommand(file, args, { cwd });
  if (code !== 0) throw new Error(`${args.join(" ")}: exit code ${code}\n${output}`);
  return output;
}

/** The manifests of private packages: `changeset version` wants the whole workspace. */
async function copyPrivateManifests(stage) {
  const folders = ["benchmarks"];
  for (const name of await readdir(join(ROOT, "apps"))) folders.push(join("apps", name));
  for (const folder of folders) {
    if (!existsSync(join(ROOT, folder, "package.json"))) continue;
    await mkdir(join(stage, folder), { recursive: true });
    await cp(join(ROOT, folder, "package.json"), join(stage, folder, "package.json"));
  }
}

async function hasGit() {
  return (await runCommand("git", ["--version"]).catch(() => ({ code: 1 }))).code === 0;
}

/**
 * Copies the built packages, lets changesets raise the versions there and packs them, as a release would.
 * @returns the packages with `version` and `tarball`.
 */
export async function stageRelease() {
  const packages = await listPackages(ROOT);
  for (const { folder, manifest } of packages)
    if (!existsSync(join(folder, "dist", "browser.js")))
      throw new Error(`${manifest.name}: is not built; run pnpm build first`);
  const stage = await copyWorkspace("release", ["package.json", "pnpm-workspace.yaml", ".changeset"]);
  await copyPrivateManifests(stage);
  if (!(await hasGit())) {
    // The changelog asks git for commits; the versions do not need it.
    const path = join(stage, ".changeset", "config.json");
    await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, "utf8")), changelog: false }));
  }
  await mustRun(workspaceTool("changeset"), ["version"], stage);
  const packed = [];
  for (const { name } of packages) {
    const folder = join(stage, "packages", name);
    const manifest = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    await mustRun("pnpm", ["pack", "--pack-destination", stage], folder);
    const tarball = join(
      stage,
      `${manifest.name.replace("@", "").replace("/", "-")}-${manifest.version}.tgz`,
    );
    packed.push({ name: manifest.name, version: manifest.version, tarball });
  }
  return { stage, packed };
}
