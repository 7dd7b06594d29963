// Compiles the kernels and embeds them in src/backends/wasm.
//   node packages/tensor/wasm/build.mjs           rebuilds the generated files
//   node packages/tensor/wasm/build.mjs --check   fails when they are not what the sources give
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const here = new URL("./", import.meta.url);
const target = new URL("../src/backends/wasm/", import.meta.url);
const FLAGS = [
  "-O3",
  "--noAssert",
  "--runtime",
  "stub",
  "--importMemory",
  "--noExportMemory",
  "--initialMemory",
  "1",
  // shared; runtime.ts flips the flag of the import where a page has no shared memory
  "--sharedMemory",
  "--maximumMemory",
  "65536",
  // constants lie above the zeros of layout.ts and below the heap
  "--memoryBase",
  "32768",
  "--enable",
  "simd,threads,bulk-memory,sign-extension,nontrapping-f2i",
  "--use",
  "abort=",
];

async function compile(extraFlags) {
  const outputs = new Map();
  const { error, stderr } = await asc.main(
    ["index.ts", "--baseDir", fileURLToPath(here), "--outFile", "out.wasm", "--bindings", "raw", ...FLAGS, ...extraFlags],
    {
      readFile: (name, baseDir) => readFile(new URL(name, `file://${baseDir}/`), "utf8").catch(() => null),
      writeFile: (name, contents) => void outputs.set(name, contents),
      listFiles: () => [],
    },
  );
  if (error) throw new Error(`${error.message}\n${stderr.toString()}`);
  return outputs;
}

/** One line of base64 a 120 characters, so that a change shows as a small difference. */
function literal(bytes) {
  const text = Buffer.from(bytes).toString("base64");
  return text.match(/.{1,120}/g).map((line) => `  "${line}"`).join(" +\n");
}

/** The exported functions as a TypeScript interface, from the declarations that the compiler writes. */
function interfaceOf(declarations) {
  const functions = [...declarations.matchAll(/export function (\w+)\((.*?)\): (\w+);/g)];
  const lines = functions.map(([, name, parameters, result]) => `  ${name}(${parameters}): ${result};`);
  return `/** Functions of the compiled kernels; addresses are bytes from the start of the memory. */\nexport interface WasmExports {\n${lines.join("\n")}\n}\n`;
}

const plain = await compile([]);
const relaxed = await compile(["--enable", "relaxed-simd", "--use", "RELAXED=1"]);
const note = "// Made by packages/tensor/wasm/build.mjs; do not edit.\n";
const files = {
  "binary.generated.ts": `${note}\n/** Kernels with 128-bit SIMD, base64. */\nexport const PLAIN_BINARY: string =\n${literal(plain.get("out.wasm"))};\n\n/** The same kernels with relaxed SIMD: fused multiply-add where the machine has it. */\nexport const RELAXED_BINARY: string =\n${literal(relaxed.get("out.wasm"))};\n`,
  "exports.generated.ts": `${note}\n${interfaceOf(plain.get("out.d.ts"))}`,
};

let stale = false;
for (const [name, contents] of Object.entries(files)) {
  const file = new URL(name, target);
  const current = await readFile(file, "utf8").catch(() => "");
  if (current === contents) continue;
  stale = true;
  if (!process.argv.includes("--check")) await writeFile(file, contents);
  else console.error(`${name} is not what the sources give; run node packages/tensor/wasm/build.mjs`);
}
if (stale && process.argv.includes("--check")) process.exitCode = 1;
else console.log(`wasm kernels: ${plain.get("out.wasm").length} bytes plain, ${relaxed.get("out.wasm").length} relaxed${stale ? ", written" : ", unchanged"}`);
