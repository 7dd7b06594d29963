import { expect, it } from "vitest";
import {
  grad,
  hannWindow,
  irfft,
  istft,
  rfft,
  square,
  stft,
  sum,
  type Tensor,
  tensor,
  zeros,
} from "../index.js";
import { describeEachDevice, expectFixtureCase, expectNoLeak, loadFixture } from "../testing/index.js";

const fixture = await loadFixture(new URL("../../fixtures/fourier.safetensors", import.meta.url));
const cases = (op: string): string[] =>
  Object.keys(fixture.metadata).filter((name) => name.startsWith(`${op}/`));

/** Transforms of random numbers: errors are a few 1e-7 of the largest bin, small bins have them too. */
const TOLERANCE = { absoluteScale: 3e-6 };

describeEachDevice("Fourier transforms", () => {
  for (const [name, op] of [
    ["rfft", rfft],
    ["irfft", irfft],
  ] as const)
    it(`${name} equals PyTorch`, async () => {
      for (const key of cases(name)) {
        const options = JSON.parse(fixture.metadata[key]);
        await expectFixtureCase(fixture, key, ([x]) => op(x, options), TOLERANCE);
      }
    });

  for (const [name, op] of [
    ["stft", stft],
    ["istft", istft],
  ] as const)
    it(`${name} equals PyTorch`, async () => {
      for (const key of cases(name)) {
        const window = fixture.has(`${key}/window`) ? fixture.tensor(`${key}/window`) : undefined;
        const options = { ...JSON.parse(fixture.metadata[key]), window };
        await expectFixtureCase(fixture, key, ([x]) => op(x, options), TOLERANCE);
        window?.dispose();
      }
    });

  it("hannWindow equals PyTorch", async () => {
    for (const length of [1, 2, 7, 16])
      for (const kind of ["periodic", "symmetric"]) {
        const window = hannWindow(length, { periodic: kind === "periodic" });
        await expect(window).toBeCloseToTensor(fixture.host(`hannWindow/${length}/${kind}`));
        window.dispose();
      }
  });

  it("istft gives back the signal of stft", async () => {
    const x = fixture.tensor("stft/whisper/input0");
    const window = hannWindow(40);
    const options = { fftSize: 40, hopLength: 10, window };
    const bins = stft(x, options);
    const back = istft(bins, options);
    await expect(back).toBeCloseToTensor(x, TOLERANCE);
    for (const t of [x, window, bins, back]) t.dispose();
  });

  it("gives tones, and derivatives of derivatives", async () => {
    const tone = tensor(Float32Array.from({ length: 12 }, (_, j) => Math.cos((2 * Math.PI * 3 * j) / 12)));
    const bins = rfft(tone);
    const expected = new Float32Array(14);
    expected[6] = 6;
    await expect(bins).toBeCloseToTensor({ shape: [7, 2], dtype: "float32", values: expected });
    // Parseval: the power of the inner bins counts once, so the second derivative is length, less half of the edges'
    const power = (x: Tensor): Tensor => sum(square(rfft(x)));
    const [second] = grad((x) => sum(grad(power, [x])[0]), [tone]);
    // the gradient of Σ over x of 2 Fᵀ F x is 2 Fᵀ F 1, which is 2 · 12 at the first bin alone
    await expect(second).toBeCloseToTensor({
      shape: [12],
      dtype: "float32",
      values: new Float32Array(12).fill(24),
    });
    for (const t of [tone, bins, second]) t.dispose();
  });

  it("leaks nothing and refuses what it cannot compute", async () => {
    const x = zeros([2, 40]);
    const bins = zeros([2, 5, 9, 2]);
    const integers = zeros([4], "int32");
    await expectNoLeak(() => {
      for (const g of grad((v) => sum(istft(stft(v, { fftSize: 16 }), { fftSize: 16 })), [x])) g.dispose();
    });
    const wrong: [() => unknown, RegExp][] = [
      [() => rfft(integers), /rfft: expected float32, got int32/],
      [() => rfft(zeros([])), /\[..., samples\], got a scalar/],
      [() => rfft(zeros([3, 0])), /at least one sample, got \[3, 0\]/],
      [() => rfft(x, { length: 0 }), /length as a whole number from 1 on, got 0/],
      [() => rfft(x, { normalization: "unitary" as never }), /normalization "backward"/],
      [() => rfft(x, { norm: "ortho" } as never), /one named norm/],
      [() => irfft(x), /\[..., bins, 2\].*got \[2, 40\]/],
      [() => irfft(zeros([1, 2])), /at least two bins/],
      [() => stft(x, {} as never), /fftSize as a whole number from 1 on, got undefined/],
      [() => stft(x, { fftSize: 81 }), /reflect/],
      [() => stft(x, { fftSize: 64, center: false }), /at least a frame of 64 samples, got \[2, 40\]/],
      [() => stft(x, { fftSize: 8, windowLength: 9 }), /windowLength of at most fftSize \(8\), got 9/],
      [() => stft(x, { fftSize: 8, windowLength: 4, window: zeros([5]) }), /a window \[4\], got \[5\]/],
      [() => stft(x, { fftSize: 8, center: false, padMode: "reflect" }), /no padMode with center: false/],
      [() => stft(x, { fftSize: 8, center: 1 as never }), /center true or false, got 1/],
      [() => istft(bins, { fftSize: 15 }), /\[..., frames, 8, 2\], got \[2, 5, 9, 2\]/],
      [() => istft(bins, { fftSize: 16, length: -1 }), /length as a whole number from 0 on/],
      [() => hannWindow(2.5), /length as a whole number/],
    ];
    for (const [call, message] of wrong) expect(call).toThrow(message);
    for (const t of [x, bins, integers]) t.dispose();
  });
});

describeEachDevice("istft of windows with holes", () => {
  it("refuses samples that no window covers", () => {
    const bins = zeros([3, 5, 2]);
    expect(() => istft(bins, { fftSize: 8, hopLength: 4, windowLength: 2, center: false })).toThrow(
      /windows that cover every sample, got a sum of their squares of 0 at sample 0/,
    );
    bins.dispose();
  });
}, ["cpu", "wasm"]);
