import { it } from "vitest";
import { irfft, read, rfft, tensor } from "../../index.js";
import { describeEachDevice, describeKernel, randomHostTensor } from "../../testing/index.js";
import { expectSameOnThreads } from "../../testing/wasm-threads.js";
import { inverseRealFftKernel, realFftKernel } from "./real-fft-rows.js";

/** Errors are a few 1e-7 of the largest bin; the reference sums up to 1024 products in float32. */
const tolerance = { absoluteScale: 1e-5 };

// powers, mixed factors, odd, a prime of one product and one of a convolution
const LENGTHS = [1, 2, 45, 67, 400, 512, 1033];
describeKernel(
  realFftKernel,
  Object.fromEntries(
    LENGTHS.map((length) => [
      `${length} samples`,
      {
        inputs: { x: randomHostTensor([length > 500 ? 1 : 5, length]) },
        attrs: { length, scale: 0.5, doubled: length % 2 === 0 },
        tolerance,
      },
    ]),
  ),
);
describeKernel(
  inverseRealFftKernel,
  Object.fromEntries(
    LENGTHS.map((length) => [
      `${length} samples`,
      {
        inputs: { x: randomHostTensor([length > 500 ? 1 : 5, Math.floor(length / 2) + 1, 2]) },
        attrs: { length, scale: 1 / length, doubled: length % 2 === 0 },
        tolerance,
      },
    ]),
  ),
);
describeKernel(realFftKernel, {
  "no rows": {
    inputs: { x: randomHostTensor([0, 8]) },
    attrs: { length: 8, scale: 1, doubled: false },
    gradient: false,
  },
});

describeEachDevice("transforms on threads", () => {
  it("give the same bits for any number, and for a row alone", async () => {
    for (const length of [60, 67]) {
      const host = randomHostTensor([13, length]);
      await expectSameOnThreads(async () => {
        const x = tensor(host.values as Float32Array, host.shape);
        const bins = rfft(x);
        const back = irfft(bins, { length });
        const last = tensor((host.values as Float32Array).slice(-length));
        const alone = rfft(last);
        const results = [await read(bins), await read(back), await read(alone)];
        for (const t of [x, bins, back, last, alone]) t.dispose();
        const tail = results[0].slice(-results[2].length);
        if (tail.some((value, index) => value !== results[2][index]))
          throw new Error("expected a row's bins not to depend on its neighbours");
        return results;
      });
    }
  });
}, ["wasm"]);
