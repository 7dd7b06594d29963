import { InputError } from "@ai/tensor";
import { describeEachDevice, expectNoLeak } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import { drawRelevance } from "../postprocess/draw-relevance.js";
import { classifierFiles, wavePicture } from "../testing/classifier-case.js";
import { loadImageClassifier } from "./image-classification.js";

const files = await classifierFiles();
const picture = wavePicture(1, 20, 14);

describeEachDevice(
  "classify.explain",
  (device) => {
    it("gives a map over the original picture by each method, to be drawn over it", async () => {
      const classify = await loadImageClassifier(files, { device });
      const [answer] = await classify([picture]);
      for (const method of ["grad-cam", "integrated-gradients", "occlusion"] as const) {
        const explanation = await classify.explain(picture, "dog", { method });
        const { relevance, score, ...rest } = explanation;
        expect(rest).toEqual({ method, label: "dog", index: 1, width: 20, height: 14 });
        expect(score).toBeCloseTo(answer.find(({ label }) => label === "dog")!.score, 5);
        expect(relevance).toHaveLength(20 * 14);
        const largest = Math.max(...relevance.map(Math.abs));
        // Grad-CAM of a class that nothing speaks for is 0 everywhere
        expect(largest === 0 && method === "grad-cam" ? 1 : largest).toBeCloseTo(1, 5);
        const drawn = drawRelevance(picture, explanation);
        expect(drawn).toMatchObject({ width: 20, height: 14, channels: 3 });
        expect(drawn.data.some((value, at) => value !== picture.data[at])).toBe(largest > 0);
      }
      expect(await classify.explain(picture, 1)).toEqual(await classify.explain(picture, "dog"));
      await expectNoLeak(() => classify.explain(picture, 0, { method: "occlusion", windowSize: 8 }));
      for (const [options, wrong] of [
        [{ steps: 3 }, "steps with integrated-gradients, got it with grad-cam"],
        [
          { windowSize: 3, method: "integrated-gradients" as const },
          "windowSize with occlusion, got it with integrated-gradients",
        ],
      ] as const) {
        const explained = classify.explain(picture, "dog", options);
        await expect(explained).rejects.toThrow(InputError);
        await expect(explained).rejects.toThrow(`: expected ${wrong}; leave it out`);
      }
      await classify.dispose();
    });
  },
  ["wasm"],
);

it("drawRelevance stretches what gradCam and its like give over the picture, channels summed", () => {
  const white = { data: new Uint8Array(4 * 2).fill(255), width: 4, height: 2, channels: 1 } as const;
  const values = Float32Array.of(1, 3, -1, -1); // [1, 1, 2, 2]: 4 speaks for, −2 against
  const { data } = drawRelevance(white, { values, shape: [1, 1, 2, 2] }, { opacity: 1 });
  const row = [255, 0, 0, 255, 0, 0, 128, 128, 255, 128, 128, 255];
  expect([...data]).toEqual([...row, ...row]);
  for (const shape of [[2, 1, 2], [1, 4], [4]])
    expect(() => drawRelevance(white, { values, shape })).toThrow(/explanation of one picture/);
});

it("drawRelevance refuses a map of another size and opacities out of range", () => {
  const relevance = Float32Array.from({ length: 280 }, (_, at) => (at % 2 === 0 ? 1 : -1));
  const drawn = drawRelevance(picture, { width: 20, height: 14, relevance }, { opacity: 1 });
  expect([...drawn.data.subarray(0, 6)]).toEqual([255, 0, 0, 0, 0, 255]);
  expect(() => drawRelevance(picture, { width: 14, height: 20, relevance })).toThrow(
    /14 × 20 numbers, got 20 × 14|got 20 × 14/,
  );
  expect(() => drawRelevance(picture, { width: 20, height: 14, relevance }, { opacity: 2 })).toThrow(
    /\[0, 1\]/,
  );
});
