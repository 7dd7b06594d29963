import { describeTask } from "@ai/layers/testing";
import { useDevice } from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { beforeAll, expect, it } from "vitest";
import { boxIou } from "../postprocess/boxes.js";
import { wavePicture } from "../testing/classifier-case.js";
import { detectorCase, detectorFiles } from "../testing/detector-case.js";
import { type Detection, loadObjectDetector } from "./object-detection.js";

describeTask("loadObjectDetector", await detectorCase());

const files = await detectorFiles();
const picture = wavePicture(1, 61, 40);

beforeAll(() => useDevice("cpu"));

describeEachDevice("detect", (device) => {
  it("finds on each device what it finds on the CPU", async () => {
    const answers: Detection[][] = [];
    for (const where of ["cpu", device] as const) {
      const deviceOptions = { allowSoftwareAdapter: true };
      const detect = await loadObjectDetector(files, { device: where, deviceOptions });
      answers.push(await detect(picture, { threshold: 0.01, maxDetections: 5 }));
      await detect.dispose();
    }
    expect(answers[0]).toHaveLength(5);
    const near = (values: readonly number[], digits: number): unknown[] =>
      values.map((value) => expect.closeTo(value, digits));
    expect(answers[1]).toEqual(
      answers[0].map(({ score, box, ...rest }) => ({
        ...rest,
        score: near([score], 5)[0],
        box: near(box, 3),
      })),
    );
  });
});

it("keeps boxes in the original picture, and honours each option", async () => {
  const detect = await loadObjectDetector(files, { device: "cpu", labels: ["a", "b"] });
  expect(detect.info).toMatchObject({
    architecture: "pointDetector",
    labels: ["a", "b"],
    usual: { threshold: 0.3, suppression: "hard", iouThreshold: 0.6 },
  });
  expect(await detect(picture)).toEqual([]);
  const all = await detect(picture, { threshold: 0.01, suppression: "none", maxDetections: 1000 });
  expect(all).toHaveLength(2 * (3 * 4 + 2 * 2)); // classes of each point of two levels
  expect(all.map(({ score }) => score)).toEqual(all.map(({ score }) => score).sort((a, b) => b - a));
  for (const { label, index, box } of all) {
    expect(label).toBe(["a", "b"][index]);
    expect(box[0] >= 0 && box[1] >= 0 && box[2] <= 61 && box[3] <= 40).toBe(true);
  }
  expect(await detect(picture, { threshold: all[3].score, suppression: "none" })).toEqual(all.slice(0, 4));
  const options = { threshold: 0.01, iouThreshold: 0.1 };
  const hard = await detect(picture, options);
  for (const [place, { box, index }] of hard.entries())
    for (const other of hard.slice(0, place))
      expect(other.index !== index || boxIou(other.box, box) < 0.3).toBe(true); // clipping moves a few
  expect(hard.length).toBeLessThan(all.length);
  const across = await detect(picture, { ...options, acrossClasses: true });
  expect(across.length).toBeLessThan(hard.length);
  expect(await detect(picture, { ...options, classes: ["b"] })).toEqual(
    hard.filter(({ label }) => label === "b"),
  );
  expect(await detect(picture, { ...options, maxDetections: 2 })).toEqual(hard.slice(0, 2));
  const soft = await detect(picture, { threshold: 0.01, suppression: "gaussian", sigma: 0.1 });
  const softer = await detect(picture, { threshold: 0.01, suppression: "gaussian", sigma: 5 });
  expect(soft[0]).toEqual(all[0]);
  expect(soft.at(-1)!.score).toBeLessThan(softer.at(-1)!.score);
  await detect.dispose();
});

it("refuses weights that give no numbers", async () => {
  const preprocessing = {
    image_processor_type: "ViTImageProcessor",
    size: { height: 24, width: 32 },
    image_std: [1e-40, 1e-40, 1e-40],
  };
  const detect = await loadObjectDetector(files, { device: "cpu", preprocessing });
  await expect(detect(picture)).rejects.toThrow(/detect.*expected finite scores and boxes/);
  await detect.dispose();
});
