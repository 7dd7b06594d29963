import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { DownloadError, InputError } from "@ai/tensor";
import { loadFixture } from "@ai/tensor/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readImage } from "./read-image.js";

let folder: string;
let path: string;
let bytes: Uint8Array;
let server: Server;
let address: string;

beforeAll(async () => {
  const fixture = await loadFixture(new URL("../../fixtures/pictures.safetensors", import.meta.url));
  bytes = Uint8Array.from(fixture.host("png-rgb/file").values as Int32Array);
  folder = await mkdtemp(join(tmpdir(), "read-image-"));
  path = join(folder, "a picture.bin");
  await writeFile(path, bytes);
  server = createServer((request, response) => {
    if (request.url === "/slow") return;
    if (request.url?.startsWith("/picture")) response.end(bytes);
    else response.writeHead(404).end();
  });
  // a process that was held up for the usual five seconds must not find its connection closed
  server.keepAliveTimeout = 120_000;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true });
});

describe("readImage in Node", () => {
  it("takes paths, URLs, buffers and Blobs alike", async () => {
    const expected = await readImage(bytes);
    expect([expected.width, expected.height, expected.channels]).toEqual([37, 29, 3]);
    const dataUrl = `data:image/png;base64,${Buffer.from(bytes).toString("base64")}`;
    const sources = [
      path,
      pathToFileURL(path),
      String(pathToFileURL(path)),
      Buffer.from(bytes),
      bytes.slice().buffer,
      new Blob([bytes.slice()]),
      `${address}/picture?token=secret`,
      new URL(`${address}/picture`),
      dataUrl,
    ];
    for (const source of sources) expect(await readImage(source)).toEqual(expected);
    expect("ImageData" in globalThis).toBe(false);
  });

  it("says what could not be read", async () => {
    await expect(readImage(join(folder, "none.jpg"))).rejects.toThrow(
      /none.jpg: expected a file that can be read, got ENOENT/,
    );
    await expect(readImage(folder)).rejects.toThrow(/expected a file, got a folder/);
    await expect(readImage(path, { maxBytes: 100 })).rejects.toThrow(InputError);
    const missing = readImage(`${address}/none?token=secret`);
    await expect(missing).rejects.toThrow(DownloadError);
    await expect(missing).rejects.toThrow(/\/none: expected a picture, got HTTP 404$/);
    await expect(readImage(`${address}/picture`, { maxBytes: 100 })).rejects.toThrow(/at most 100 bytes/);
    await expect(readImage("http://127.0.0.1:9/x.png")).rejects.toThrow(DownloadError);
    for (const wrong of [undefined, null, 3, {}, [], new Float32Array(3)])
      await expect(readImage(wrong as never)).rejects.toThrow(InputError);
    await expect(readImage(path, { channels: 2 as never })).rejects.toThrow(/1 \(grey\), 3 \(RGB\) or 4/);
    await expect(readImage(path, { color: true } as never)).rejects.toThrow(/one named color/);
  });

  it("stops when the signal says so", async () => {
    await expect(readImage(path, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    const controller = new AbortController();
    const slow = readImage(`${address}/slow`, { signal: controller.signal });
    setTimeout(() => controller.abort(new Error("enough")), 20);
    await expect(slow).rejects.toThrow("enough");
  });

  it("embeds the decoders that @jsquash ships", async () => {
    const { createRequire } = await import("node:module");
    const { inflateRawSync } = await import("node:zlib");
    const { readFile } = await import("node:fs/promises");
    const require = createRequire(import.meta.url);
    const jpeg = await import("./decoders/jpeg-binary.generated.js");
    const webp = await import("./decoders/webp-binary.generated.js");
    for (const [{ BINARY }, file] of [
      [jpeg, "@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm"],
      [webp, "@jsquash/webp/codec/dec/webp_dec.wasm"],
    ] as const)
      expect(
        inflateRawSync(Buffer.from(BINARY, "base64")).equals(await readFile(require.resolve(file))),
      ).toBe(true);
  });
});
