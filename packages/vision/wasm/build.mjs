// Compiles the resizing of pictures and embeds it in src/preprocess.
//   node packages/vision/wasm/build.mjs           rebuilds the generated file
//   node packages/vision/wasm/build.mjs --check   fails when it is not what the source gives
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const here = new URL("./", import.meta.url);
const target = new URL("../src/preprocess/resize-binary.generated.ts", import.meta.url);
const FLAGS = ["-O3", "--noAssert", "--runtime", "stub", "--enable", "simd", "--use", "abort="];

let binary;
const { error, stderr } = await asc.main(
  ["resize.ts", "--baseDir", fileURLToPath(here), "--outFile", "out.wasm", ...FLAGS],
  {
    readFile: (name, baseDir) => readFile(new URL(name, `file://${baseDir}/`), "utf8").catch(() => null),
    writeFile: (_name, contents) => {
      binary = contents;
    },
    listFiles: () => [],
  },
);
if (error) throw new Error(`${error.message}\n${stderr.toString()}`);

const lines = Buffer.from(binary)
  .toString("base64")
  .match(/.{1,120}/g)
  .map((line) => `  "${line}"`);
const contents = `// Made by packages/vision/wasm/build.mjs; do not edit.\n\n/** Both passes of resizing RGB with 128-bit SIMD: base64. */\nexport const BINARY: string =\n${lines.join(" +\n")};\n`;
const isStale = (await readFile(target, "utf8").catch(() => "")) !== contents;
if (isStale && process.argv.includes("--check")) {
  console.error("resize-binary.generated.ts is not what the source gives; run node packages/vision/wasm/build.mjs");
  process.exitCode = 1;
} else {
  if (isStale) await writeFile(target, contents);
  console.log(`resizing: ${binary.length} bytes, ${isStale ? "written" : "unchanged"}`);
}
