/** `pnpm new kernel|layer NAME` and `pnpm new model|task PACKAGE NAME`: files that pass the checks, to be filled. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { namesOf } from "./names.mjs";
import { kernelFiles } from "./templates/kernel.mjs";
import { layerFiles } from "./templates/layer.mjs";
import { modelFiles } from "./templates/model.mjs";
import { taskFiles } from "./templates/task.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The rooms that every domain package has. */
const ROOMS = ["preprocess", "models", "postprocess", "tasks"];

/** @throws when the package is not there or is no domain package. */
function assertDomainPackage(name) {
  const folder = join(root, "packages", name);
  if (!existsSync(join(folder, "package.json")))
    throw new Error(
      `new: there is no package packages/${name}; models and tasks belong into a domain package that exists`,
    );
  const missing = ROOMS.filter((room) => !existsSync(join(folder, "src", room)));
  if (missing.length > 0)
    throw new Error(
      `new: packages/${name} is no domain package: it has no src/${missing.join(", src/")}; make the four rooms first`,
    );
}

/** Adds an export line; the formatter puts it in order. */
const withExport =
  (line) =>
  (text = "") =>
    `${text.replace(/\n?$/, "\n")}${line}\n`;

async function write({ files, exports = {}, edits = {}, next }) {
  const changes = {
    ...edits,
    ...Object.fromEntries(Object.entries(exports).map(([path, line]) => [path, withExport(line)])),
  };
  for (const path of Object.keys(files))
    if (existsSync(join(root, path))) throw new Error(`new: ${path} exists already; choose another name`);
  const written = [];
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
    written.push(path);
  }
  for (const [path, change] of Object.entries(changes)) {
    const text = existsSync(join(root, path)) ? await readFile(join(root, path), "utf8") : undefined;
    await writeFile(join(root, path), change(text));
    written.push(path);
  }
  const biome = join(root, "node_modules", "@biomejs", "biome", "bin", "biome");
  const { status, stdout, stderr } = spawnSync(process.execPath, [biome, "check", "--write", ...written], {
    cwd: root,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`new: the formatter refused the files\n${stdout}${stderr}`);
  for (const path of written) console.log(`${files[path] === undefined ? "changed" : "wrote"} ${path}`);
  console.log(`Next:\n${next.map((line) => `  - ${line}`).join("\n")}`);
}

const program = new Command("pnpm new").description(
  "Writes the files of a new kernel, layer, model or task.",
);
program
  .command("kernel <name>")
  .description("an op with a kernel of its own in @ai/tensor")
  .action((name) => write(kernelFiles(namesOf(name))));
program
  .command("layer <name>")
  .description("a layer in @ai/layers; PascalCase for PyTorch's own spelling (RMSNorm)")
  .action((name) => write(layerFiles(namesOf(name))));
program
  .command("model <package> <name>")
  .description("a model in a domain package, for example vision resnet")
  .action((packageName, name) => {
    assertDomainPackage(packageName);
    return write(modelFiles(namesOf(name), packageName));
  });
program
  .command("task <package> <name>")
  .description("a task in a domain package, for example vision image-classifier")
  .action((packageName, name) => {
    assertDomainPackage(packageName);
    return write(taskFiles(namesOf(name), packageName));
  });

try {
  await program.parseAsync();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
