// Embeds the WebAssembly decoders of @jsquash in src/preprocess/decoders: no file to host, the same bytes everywhere.
//   node packages/vision/codecs/embed.mjs
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { deflateRawSync } from "node:zlib";

const require = createRequire(import.meta.url);
const BINARIES = {
  jpeg: "@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm",
  webp: "@jsquash/webp/codec/dec/webp_dec.wasm",
};

for (const [name, source] of Object.entries(BINARIES)) {
  const bytes = deflateRawSync(await readFile(require.resolve(source)), { level: 9 });
  const lines = bytes
    .toString("base64")
    .match(/.{1,120}/g)
    .map((line) => `  "${line}"`);
  const target = new URL(`../src/preprocess/decoders/${name}-binary.generated.ts`, import.meta.url);
  await writeFile(
    target,
    `// Made by packages/vision/codecs/embed.mjs; do not edit.\n\n/** ${source}: deflated (RFC 1951), base64. */\nexport const BINARY: string =\n${lines.join(" +\n")};\n`,
  );
}
