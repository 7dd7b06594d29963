import { dispose, InputError, read, sigmoid, softmax, tidy, valueAndGrad } from "@ai/tensor";
import { describeEachDevice, expectNoLeak } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import { loadVisionFixture } from "../testing/model-cases.js";
import { ruledTensor } from "../testing/ruled-values.js";
import { matchSetPrediction, type SetTarget, setPredictionLoss } from "./set-prediction-loss.js";

const fixture = await loadVisionFixture("set_prediction");

/** As in tooling/fixtures/vision/set_prediction.py. */
const TARGETS: readonly SetTarget[] = [
  {
    labels: [1, 0, 1],
    boxes: [
      [0.5, 0.5, 0.25, 0.5],
      [0.25, 0.75, 0.125, 0.25],
      [0.75, 0.25, 0.5, 0.5],
    ],
  },
  { labels: [2], boxes: [[0.5, 0.25, 0.5, 0.25]] },
];

describeEachDevice("setPredictionLoss", () => {
  it("matches and measures as Hugging Face's DETR loss does, with its gradients", async () => {
    const logits = ruledTensor("logits", [2, 5, 4], -2, 2);
    const boxes = tidy(() => sigmoid(ruledTensor("boxes", [2, 5, 4], -1, 1)));
    await expectNoLeak(async () => {
      const matches = await matchSetPrediction({ logits, boxes }, TARGETS);
      expect(matches.flat(2)).toEqual(Array.from(fixture.host("matches").values));
      const { value, grads } = valueAndGrad(
        () => tidy(() => setPredictionLoss({ logits, boxes }, TARGETS, { matches }).total),
        [logits, boxes],
      );
      await expect(grads[0]).toBeCloseToTensor(fixture.host("gradient/logits"), { absoluteScale: 1e-5 });
      await expect(grads[1]).toBeCloseToTensor(fixture.host("gradient/boxes"), { absoluteScale: 1e-5 });
      const parts = setPredictionLoss({ logits, boxes }, TARGETS, { matches });
      for (const name of ["classes", "boxes", "giou"] as const)
        expect((await read(parts[name]))[0]).toBeCloseTo(fixture.host(`loss/${name}`).values[0], 5);
      dispose([value, ...grads, ...Object.values(parts)]);
    });
    dispose([logits, boxes]);
  });

  it("measures pictures without objects, and refuses classes out of range", async () => {
    const logits = softmax(ruledTensor("logits", [1, 5, 4]));
    const boxes = ruledTensor("boxes", [1, 5, 4], 0.1, 0.4);
    const nothing = [{ labels: [], boxes: [] }];
    const matches = await matchSetPrediction({ logits, boxes }, nothing);
    const loss = setPredictionLoss({ logits, boxes }, nothing, { matches });
    expect((await read(loss.giou))[0]).toBe(0);
    expect((await read(loss.total))[0]).toBeGreaterThan(0);
    const wrong = [{ labels: [3], boxes: [[0, 0, 1, 1] as const] }];
    await expect(matchSetPrediction({ logits, boxes }, wrong)).rejects.toThrow(InputError);
    await expect(matchSetPrediction({ logits, boxes }, [])).rejects.toThrow(InputError);
    dispose([logits, boxes, ...Object.values(loss)]);
  });
});
