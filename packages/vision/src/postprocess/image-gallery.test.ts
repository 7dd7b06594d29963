import { SimilarityIndex } from "@ai/layers/tasks";
import { WeightsError } from "@ai/tensor";
import { expect, it } from "vitest";
import { ImageGallery } from "./image-gallery.js";

const MODEL = { architecture: "tiny", probe: [0.6, 0, 0.8] };
const NEAREST = { method: "nearest", neighbors: 3 } as const;
const { signal } = new AbortController();
const silent = { signal, onStep: () => undefined };

it("measures a large gallery by labels that have two examples, however few they are", async () => {
  const gallery = new ImageGallery(MODEL);
  for (let at = 0; at < 4001; at++) {
    const isTwin = at === 1 || at === 3;
    gallery.add(isTwin ? "twin" : `single ${at}`, isTwin ? [1, 0, 0] : [0, 1, at / 4001]);
  }
  const steps: number[][] = [];
  const measured = await gallery.calibrate(NEAREST, {
    signal,
    onStep: (done, total) => steps.push([done, total]),
  });
  expect(measured).toMatchObject({ accuracy: 1, accepted: 1, refused: 1 });
  expect(steps.at(-1)).toEqual([2, 2]);
});

it("looks at the signal while it measures, and keeps what was measured before", async () => {
  const gallery = new ImageGallery(MODEL);
  for (let at = 0; at < 2000; at++) gallery.add(at % 2 ? "a" : "b", [1, at % 2, at / 2000]);
  const controller = new AbortController();
  const reason = new Error("enough");
  setTimeout(() => controller.abort(reason));
  const told: number[] = [];
  const calibrating = gallery.calibrate(NEAREST, {
    signal: controller.signal,
    onStep: (done) => told.push(done),
  });
  await expect(calibrating).rejects.toBe(reason);
  expect(told).toEqual([]);
  expect(gallery.calibrated).toBeNull();
});

it("refuses a file that no recognizer saved", async () => {
  const gallery = new ImageGallery(MODEL);
  for (const [label, vector] of [
    ["a", [1, 0, 0]],
    ["a", [1, 0.1, 0]],
    ["b", [0, 1, 0]],
  ] as const)
    gallery.add(label, vector);
  await gallery.calibrate(NEAREST, silent);
  const index = await SimilarityIndex.load(await gallery.toBytes(signal));
  const about = index.about as Record<string, unknown>;
  const calibrated = about.calibrated as object;
  expect((await ImageGallery.open(await index.toBytes(), MODEL, signal)).calibrated).toEqual(calibrated);
  for (const wrong of [
    { kind: "index" },
    { architecture: 5 },
    { probe: null },
    { probe: [1, "2", 3] },
    { calibrated: "yes" },
    { calibrated: { ...calibrated, threshold: "x" } },
    { calibrated: { ...calibrated, method: "far" } },
    { calibrated: { ...calibrated, neighbors: 0 } },
  ]) {
    index.about = { ...about, ...wrong };
    const opening = ImageGallery.open(await index.toBytes(), MODEL, signal);
    await expect(opening, JSON.stringify(wrong)).rejects.toThrow(WeightsError);
  }
  const wider = new SimilarityIndex<{ label: string }>({ dim: 4 });
  wider.add([1, 0, 0, 0], { label: "a" });
  wider.about = about;
  await expect(ImageGallery.open(await wider.toBytes(), MODEL, signal)).rejects.toThrow(
    /vectors of 3 numbers/,
  );
});
