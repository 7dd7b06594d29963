import { InputError } from "@ai/tensor";
import { loadFixture } from "@ai/tensor/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { readImage } from "./read-image.js";

let bytes: Uint8Array<ArrayBuffer>;
beforeAll(async () => {
  const fixture = await loadFixture(new URL("../../fixtures/pictures.safetensors", import.meta.url));
  bytes = Uint8Array.from(fixture.host("png-rgb/file").values as Int32Array);
});

const blob = (): Blob => new Blob([bytes], { type: "image/png" });

describe("readImage in a page", () => {
  it("takes what a page has", async () => {
    const expected = await readImage(bytes);
    const { width, height } = expected;
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d") as CanvasRenderingContext2D;
    context.drawImage(await createImageBitmap(blob()), 0, 0);
    const offscreen = new OffscreenCanvas(width, height);
    (offscreen.getContext("2d") as OffscreenCanvasRenderingContext2D).drawImage(canvas, 0, 0);
    const image = new Image();
    image.src = URL.createObjectURL(blob());
    const frame = new VideoFrame(canvas, { timestamp: 0 });
    const sources = {
      blob: blob(),
      file: new File([bytes], "a.png"),
      url: URL.createObjectURL(blob()),
      imageData: context.getImageData(0, 0, width, height),
      canvas,
      offscreen,
      bitmap: await createImageBitmap(blob()),
      image,
      frame,
      picture: expected,
    };
    // an opaque PNG without a colour profile: the page draws the very bytes
    for (const [name, source] of Object.entries(sources))
      expect({ name, ...(await readImage(source)) }).toEqual({ name, ...expected });
    frame.close();
    expect(structuredClone(expected)).toEqual(expected);
  });

  it("takes a canvas of WebGL, and says when there is nothing yet", async () => {
    const canvas = new OffscreenCanvas(4, 3);
    const gl = canvas.getContext("webgl", { preserveDrawingBuffer: true }) as WebGLRenderingContext;
    gl.clearColor(1, 0, 0, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    expect([...(await readImage(canvas)).data.subarray(0, 3)]).toEqual([255, 0, 0]);
    await expect(readImage(document.createElement("video"))).rejects.toThrow(
      /HTMLVideoElement with pixels, got 0 × 0/,
    );
    await expect(readImage(new Image())).rejects.toThrow(InputError);
    await expect(readImage(new OffscreenCanvas(50, 50), { maxPixels: 100 })).rejects.toThrow(
      /at most 100 pixels/,
    );
  });

  it("reads in a worker to the same bytes", async () => {
    const source = `
      import { readImage } from ${JSON.stringify(new URL("./read-image.ts", import.meta.url).href)};
      // what Vitest's transform of import() asks for
      globalThis.__vitest_browser_runner__ = { wrapDynamicImport: (load) => load() };
      onmessage = async ({ data }) => postMessage(await readImage(data).catch(String));
    `;
    const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })), {
      type: "module",
    });
    const fixture = await loadFixture(new URL("../../fixtures/pictures.safetensors", import.meta.url));
    for (const name of ["jpeg-progressive", "webp-alpha", "png-interlaced-16", "gif"]) {
      const file = Uint8Array.from(fixture.host(`${name}/file`).values as Int32Array);
      const answer = await new Promise((resolve, reject) => {
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = reject;
        worker.postMessage(file);
      });
      expect(answer).toEqual(await readImage(file));
    }
    worker.terminate();
  });
});
