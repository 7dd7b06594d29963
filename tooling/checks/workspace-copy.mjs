import { rmSync } from "node:fs";
import { cp, mkdir, mkdtemp, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listPackages, ROOT } from "./files.mjs";

/** A folder that goes away when the process ends. */
export async function temporaryFolder(name) {
  const folder = await mkdtemp(join(tmpdir(), `${name}-`));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Links what a package has installed; packages of the workspace become those of the copy. */
async function linkDependencies(target, source, manifest, packages, copy) {
  const dependencies = {
    ...manifest.dependencies,
    ...manifest.devDependencies,
    ...manifest.peerDependencies,
  };
  for (const name of Object.keys(dependencies)) {
    const ours = packages.find((candidate) => candidate.manifest.name === name);
    const from = ours === undefined ? join(source, "node_modules", name) : join(copy, "packages", ours.name);
    await mkdir(join(target, "node_modules", name, ".."), { recursive: true });
    await symlink(from, join(target, "node_modules", name), "junction");
  }
}

/**
 * Copies the packages and the named files of the repository, with installed dependencies linked.
 * @returns the copy's folder.
 */
export async function copyWorkspace(name, files) {
  const copy = await temporaryFolder(name);
  for (const file of files) {
    await mkdir(join(copy, file, ".."), { recursive: true });
    await cp(join(ROOT, file), join(copy, file), { recursive: true });
  }
  await symlink(join(ROOT, "node_modules"), join(copy, "node_modules"), "junction");
  const packages = await listPackages(ROOT);
  for (const { name: folder, folder: source, manifest } of packages) {
    const target = join(copy, "packages", folder);
    await cp(source, target, {
      recursive: true,
      filter: (path) => !/[\\/](node_modules|fixtures|\.turbo)([\\/]|$)/.test(path.slice(source.length)),
    });
    await linkDependencies(target, source, manifest, packages, copy);
  }
  return copy;
}
