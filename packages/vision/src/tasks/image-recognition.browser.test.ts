import { describeTaskInWorker } from "@ai/layers/testing";
import { expect, it } from "vitest";
import { noisyPicture, recognizerCase } from "../testing/recognizer-case.js";

const given = await recognizerCase();

describeTaskInWorker("loadImageRecognizer", given, true);

it("is taught in a worker with what only the page can draw, and gives its gallery to the page", async () => {
  const recognize = await given.load({ device: "cpu", worker: true });
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [20, 14];
  const { data } = noisyPicture(5, 1);
  const pixels = new ImageData(20, 14);
  for (let at = 0; at < 20 * 14; at++) pixels.data.set([...data.slice(3 * at, 3 * at + 3), 255], 4 * at);
  canvas.getContext("2d")!.putImageData(pixels, 0, 0);
  expect(await recognize.add({ label: "new", pictures: [canvas, pixels] })).toEqual([9, 10]);
  expect((await recognize(canvas)).label).toBe("new");
  const url = URL.createObjectURL(new Blob([(await recognize.toBytes()) as BlobPart]));
  await recognize.remove({ label: "new" });
  expect(await recognize.load(url)).toHaveLength(4);
  URL.revokeObjectURL(url);
  await recognize.dispose();
});
