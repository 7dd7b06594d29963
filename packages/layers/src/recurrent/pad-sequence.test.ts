import {
  dispose,
  grad,
  InputError,
  ShapeError,
  square,
  sum,
  type Tensor,
  tensor,
  toArray,
  zeros,
} from "@ai/tensor";
import { describeEachDevice, expectNoLeak } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import { padSequence, unpadSequence } from "../index.js";

describeEachDevice("padSequence and unpadSequence", () => {
  const sequences = (): Tensor[] => [
    tensor([
      [1, 2],
      [3, 4],
    ]),
    zeros([0, 2]),
    tensor([[5, 6]]),
  ];

  it("put sequences into one tensor and take them out again", async () => {
    await expectNoLeak(async () => {
      const given = sequences();
      const { padded, lengths } = padSequence(given, { paddingValue: -1, totalLength: 3 });
      expect(lengths).toEqual([2, 0, 1]);
      expect(await toArray(padded)).toEqual([
        [
          [1, 2],
          [3, 4],
          [-1, -1],
        ],
        [
          [-1, -1],
          [-1, -1],
          [-1, -1],
        ],
        [
          [5, 6],
          [-1, -1],
          [-1, -1],
        ],
      ]);
      const back = unpadSequence(padded, lengths);
      expect(back.map(({ shape }) => shape)).toEqual([
        [2, 2],
        [0, 2],
        [1, 2],
      ]);
      for (const [index, each] of back.entries()) await expect(each).toBeCloseToTensor(given[index]);
      const gradients = grad((a, b) => sum(square(padSequence([a, b]).padded)), [given[0], given[2]]);
      expect(await toArray(gradients[1])).toEqual([[10, 12]]);
      dispose([...given, padded, ...back, ...gradients]);
    });
  });

  it("put arrays into one tensor of their kind", async () => {
    await expectNoLeak(async () => {
      const arrays = [Int32Array.of(4, 5), Int32Array.of(), Int32Array.of(6)];
      const { padded, lengths } = padSequence(arrays, { paddingValue: -1, totalLength: 3 });
      expect([padded.dtype, lengths, await toArray(padded)]).toEqual([
        "int32",
        [2, 0, 1],
        [
          [4, 5, -1],
          [-1, -1, -1],
          [6, -1, -1],
        ],
      ]);
      padded.dispose();
      expect(() => padSequence([arrays[0], Float32Array.of(1)])).toThrow(
        /one kind, got Int32Array and others/,
      );
      for (const paddingValue of [0.5, 2 ** 40])
        expect(() => padSequence(arrays, { paddingValue })).toThrow(/integer paddingValue of 32 bits/);
      const bytes = [Uint8Array.of(0, 1), Uint8Array.of(2)];
      expect(() => padSequence(bytes)).toThrow(/Uint8Array of 0 and 1, which is bool, got larger numbers/);
      expect(() => padSequence(bytes, { paddingValue: -1 })).toThrow(/paddingValue of 0 or 1 for Uint8Array/);
      expect(() => padSequence(arrays, { totalLength: 1 })).toThrow(/totalLength of at least 2/);
    });
  });

  it("refuse what does not fit", () => {
    const [first, , third] = sequences();
    const other = zeros([2, 3]);
    const whole = zeros([], "int32");
    expect(() => padSequence([])).toThrow(InputError);
    expect(() => padSequence([first, other])).toThrow(/expected sequences \[length, 2\], got \[2, 3\]/);
    expect(() => padSequence([whole])).toThrow(ShapeError);
    expect(() => padSequence([first, third], { totalLength: 1 })).toThrow(/totalLength of at least 2/);
    expect(() => padSequence([first], { batchFirst: true } as object)).toThrow(/got one named batchFirst/);
    expect(() => unpadSequence(whole, [1])).toThrow(
      /unpadSequence: expected a tensor \[batch, length, ...\]/,
    );
    expect(() => unpadSequence(other, [1])).toThrow(/expected 2 lengths/);
    expect(() => unpadSequence(other, [1, 4])).toThrow(/integer lengths in \[0, 3\], got 4/);
    dispose([first, third, other, whole]);
  });
});
