// Compiles the kernels and embeds them in src/backends/wasm.
//   node packages/tensor/wasm/build.mjs           rebuilds the generated files
//   node packages/tensor/wasm/build.mjs --check   fails when they are not what the sources give
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { deflateRawSync, inflateRawSync } from "node:zlib";
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

/** The bytes of one binary in the generated file: what counts is what they inflate to, which zlib's versions agree on. */
function embedded(source, name) {
  const start = source.indexOf(`export const ${name}`);
  const text = [...source.slice(start, source.indexOf(";", source.indexOf("=", start))).matchAll(/"([^"]*)"/g)];
  return inflateRawSync(Buffer.from(text.map(([, part]) => part).join(""), "base64"));
}

const plain = await compile([]);
const relaxed = await compile(["--enable", "relaxed-simd", "--use", "RELAXED=1"]);
const note = "// Made by packages/tensor/wasm/build.mjs; do not edit.\n";
const binaries = { PLAIN_BINARY: plain.get("out.wasm"), RELAXED_BINARY: relaxed.get("out.wasm") };
const deflated = (bytes) => literal(deflateRawSync(bytes, { level: 9 }));
const binaryFile = `${note}\n/** Kernels with 128-bit SIMD: deflated (RFC 1951), base64. */\nexport const PLAIN_BINARY: string =\n${deflated(binaries.PLAIN_BINARY)};\n\n/** The same kernels with relaxed SIMD: fused multiply-add where the machine has it. */\nexport const RELAXED_BINARY: string =\n${deflated(binaries.RELAXED_BINARY)};\n`;
const exportsFile = `${note}\n${interfaceOf(plain.get("out.d.ts"))}`;

const read = (name) => readFile(new URL(name, target), "utf8").catch(() => "");
const [oldBinary, oldExports] = [await read("binary.generated.ts"), await read("exports.generated.ts")];
const isSame = (name) => {
  try {
    return embedded(oldBinary, name).equals(Buffer.from(binaries[name]));
  } catch {
    return false; // not what this script wrote
  }
};
const stale = [];
if (!Object.keys(binaries).every(isSame)) stale.push(["binary.generated.ts", binaryFile]);
if (oldExports !== exportsFile) stale.push(["exports.generated.ts", exportsFile]);
for (const [name, contents] of stale)
  if (!process.argv.includes("--check")) await writeFile(new URL(name, target), contents);
  else console.error(`${name} is not what the sources give; run node packages/tensor/wasm/build.mjs`);
if (stale.length > 0 && process.argv.includes("--check")) process.exitCode = 1;
else
  console.log(
    `wasm kernels: ${binaries.PLAIN_BINARY.length} bytes plain, ${binaries.RELAXED_BINARY.length} relaxed${stale.length > 0 ? ", written" : ", unchanged"}`,
  );
