import { dispose, useDevice, zeros } from "@ai/tensor";
import { expectNoLeak } from "@ai/tensor/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { Conv1d } from "./index.js";

beforeAll(() => useDevice("cpu"));

describe("Conv1d.outputLength", () => {
  it("is how many steps a call gives, for any stride, padding and dilation", async () => {
    await expectNoLeak(() => {
      for (const [kernelSize, options] of [
        [3, {}],
        [4, { stride: 3, padding: 2 }],
        [3, { dilation: 2, padding: "same" }],
        [2, { stride: 2, paddingMode: "replicate", padding: 1 }],
      ] as const) {
        const layer = new Conv1d(1, 1, kernelSize, options);
        for (const length of [5, 6, 11]) {
          const x = zeros([1, length, 1]);
          const y = layer.call(x);
          expect(layer.outputLength(length)).toBe(y.shape[1]);
          dispose([x, y]);
        }
        layer.dispose();
      }
    });
    const layer = new Conv1d(1, 1, 5);
    expect([layer.outputLength(4), layer.outputLength(0)]).toEqual([0, 0]);
    expect(() => layer.outputLength(-1)).toThrow(/outputLength/);
    expect(() => layer.outputLength(1.5)).toThrow(/outputLength/);
  });
});
