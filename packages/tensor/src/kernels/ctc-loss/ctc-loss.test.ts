import { expect, it } from "vitest";
import {
  ctcLoss,
  grad,
  logSoftmax,
  mul,
  type NestedArray,
  read,
  square,
  sum,
  tensor,
  toArray,
  useDevice,
  valueAndGrad,
  zeros,
} from "../../index.js";
import {
  describeEachDevice,
  describeKernel,
  expectFixtureCase,
  expectNoLeak,
  type HostTensor,
  loadFixture,
  randomHostTensor,
} from "../../testing/index.js";
import { expectSameOnThreads } from "../../testing/wasm-threads.js";
import { ctcLossGradientKernel, ctcLossKernel } from "./ctc-loss-items.js";

const fixture = await loadFixture(new URL("../../../fixtures/ctc-loss.safetensors", import.meta.url));

describeEachDevice("ctcLoss", () => {
  for (const name of Object.keys(fixture.metadata).filter((key) => key.startsWith("ctcLoss/")))
    it(`equals PyTorch: ${name.slice("ctcLoss/".length)}`, async () => {
      const options = JSON.parse(fixture.metadata[name]);
      await expectFixtureCase(
        fixture,
        name,
        ([logProbabilities, targets, inputLengths, targetLengths]) =>
          ctcLoss(logProbabilities, targets, { ...options, inputLengths, targetLengths }),
        // 150 steps in float32, some 1e-7 each
        name === "ctcLoss/long" ? { relative: 1e-4, absoluteScale: 1e-5 } : {},
      );
    });

  it("counts every step and label without lengths, and takes them as numbers", async () => {
    const logits = tensor([
      [
        [0.5, -1, 2],
        [1, 0, 0],
        [0, 3, 1],
      ],
    ]); // [1, 3, 3]
    const targets = tensor(Int32Array.of(2, 1), [1, 2]);
    const logProbabilities = logSoftmax(logits);
    const all = ctcLoss(logProbabilities, targets);
    const same = ctcLoss(logProbabilities, targets, { inputLengths: [3], targetLengths: [2] });
    // all five paths by hand: 2 1 ∅, 2 ∅ 1, ∅ 2 1, 2 2 1, 2 1 1
    const p = (await toArray(logProbabilities)) as number[][][];
    const paths = [
      [2, 1, 0],
      [2, 0, 1],
      [0, 2, 1],
      [2, 2, 1],
      [2, 1, 1],
    ];
    const total = paths.reduce(
      (value, path) => value + Math.exp(path.reduce((exponent, k, step) => exponent + p[0][step][k], 0)),
      0,
    );
    const expected = { shape: [], dtype: "float32", values: [-Math.log(total) / 2] };
    await expect(all).toBeCloseToTensor(expected);
    await expect(same).toBeCloseToTensor(expected);
    for (const t of [logits, targets, logProbabilities, all, same]) t.dispose();
  });

  it("gives classes of probability 0 no gradient", async () => {
    const logProbabilities = tensor([
      [
        [-1, -0.5, Number.NEGATIVE_INFINITY],
        [-1, -0.5, -3],
      ],
    ]); // [1, 2, 3]
    const targets = tensor(Int32Array.of(1), [1, 1]);
    const [gradient] = grad((x) => ctcLoss(x, targets), [logProbabilities]);
    const values = (await toArray(gradient)) as NestedArray[][];
    expect((values[0] as NestedArray[])[0]).toEqual([expect.any(Number), expect.any(Number), 0]);
    expect([...(await read(gradient))].every(Number.isFinite)).toBe(true);
    for (const t of [logProbabilities, targets, gradient]) t.dispose();
  });

  it("takes batches, times and targets of nothing", async () => {
    const none = zeros([0, 4, 3]);
    const noTargets = zeros([0, 2], "int32");
    const noTime = zeros([2, 0, 3]);
    const noLabels = zeros([2, 0], "int32");
    const total = ctcLoss(none, noTargets, { reduction: "sum" });
    const losses = ctcLoss(noTime, noLabels, { reduction: "none" });
    expect([...(await read(total))]).toEqual([0]);
    expect([...(await read(losses))].map(Math.abs)).toEqual([0, 0]);
    for (const t of [none, noTargets, noTime, noLabels, total, losses]) t.dispose();
  });

  it("leaks nothing and refuses what does not fit", async () => {
    const x = zeros([2, 4, 3]);
    const targets = tensor(Int32Array.of(1, 2, 2, 2), [2, 2]);
    await expectNoLeak(() => {
      for (const gradient of grad((v) => ctcLoss(logSoftmax(v), targets), [x])) gradient.dispose();
    });
    const wrong: [() => unknown, RegExp][] = [
      [() => ctcLoss(targets, targets), /float32 log-probabilities, got int32/],
      [() => ctcLoss(x, x), /int32 targets, got float32/],
      [() => ctcLoss(zeros([4, 3]), targets), /\[batch, time, classes\], got \[4, 3\]/],
      [() => ctcLoss(x, zeros([4], "int32")), /targets \[2, labels\].*got \[4\]/],
      [() => ctcLoss(x, targets, { inputLengths: [4] }), /inputLengths of shape \[2\].*got \[1\]/],
      [() => ctcLoss(x, targets, { inputLengths: [4, 5] }), /inputLengths in \[0, 4\], got 5/],
      [() => ctcLoss(x, targets, { targetLengths: [2, 1.5] }), /targetLengths in \[0, 2\], got 1.5/],
      [() => ctcLoss(x, targets, { targetLengths: zeros([2]) }), /int32 targetLengths, got float32/],
      [
        () => ctcLoss(x, targets, { inputLengths: 4 as never }),
        /inputLengths as an int32 tensor or an array/,
      ],
      [() => ctcLoss(x, targets, { blank: 3 }), /blank as a class in \[0, 3\), got 3/],
      [
        () => ctcLoss(x, tensor(Int32Array.of(1, 2, 1, 1), [2, 2]), { blank: 2 }),
        /other than blank \(2\), got 2 at label 1 of item 0/,
      ],
      [() => ctcLoss(x, targets, { reduction: "avg" as never }), /reduction "mean"/],
      [() => ctcLoss(x, targets, { zeroInfinity: 1 as never }), /zeroInfinity true or false/],
      [() => ctcLoss(x, targets, { zero_infinity: true } as never), /one named zero_infinity/],
      [
        () => grad((v) => sum(square(grad((w) => ctcLoss(mul(w, 1), targets), [v])[0])), [x]),
        /expected first derivatives, got a second one/,
      ],
    ];
    for (const [call, message] of wrong) expect(call).toThrow(message);
    x.dispose();
    targets.dispose();
  });
});

const integers = (shape: number[], ...values: number[]): HostTensor => ({
  shape,
  dtype: "int32",
  values: Int32Array.from(values),
});

// the second output serves the kernel's own gradient and has none: the fixtures above check gradients
const inputs = {
  logProbabilities: randomHostTensor([3, 9, 5], { contains: [Number.NaN] }),
  targets: integers([3, 3], 1, 1, 4, 2, 3, 2, 4, 0, 0),
  inputLengths: integers([3], 9, 8, 5),
  targetLengths: integers([3], 3, 3, 1),
};
describeKernel(ctcLossKernel, {
  "odd sizes, one item with NaN": { inputs, attrs: { blank: 0, zeroInfinity: false }, gradient: false },
});

it("gradients of both kernels agree on wasm and cpu", async () => {
  // alphas and losses must belong together, so they come from the forward kernel of each device
  const gradients: Float32Array[] = [];
  for (const device of ["cpu", "wasm"] as const) {
    await useDevice(device);
    const tensors = Object.fromEntries(
      Object.entries({ ...inputs, logProbabilities: randomHostTensor([3, 9, 5]) }).map(([name, host]) => [
        name,
        tensor(host.values as Float32Array, host.shape),
      ]),
    ) as never as Parameters<typeof ctcLossKernel>[0];
    const attrs = { blank: 0, zeroInfinity: false };
    const [losses, alphas] = ctcLossKernel.multiple(tensors, attrs);
    const dy = tensor([1, -2, 0.5]);
    const gradient = ctcLossGradientKernel({ ...tensors, dy, losses, alphas }, attrs);
    gradients.push((await read(gradient)) as Float32Array);
    for (const t of [...Object.values(tensors), losses, alphas, dy, gradient]) t.dispose();
  }
  gradients[0].forEach((value, index) => {
    expect(gradients[1][index]).toBeCloseTo(value, 5);
  });
});

describeEachDevice("ctcLoss on threads", () => {
  it("gives the same bits for any number", async () => {
    const logits = randomHostTensor([5, 40, 11]);
    const targets = integers([5, 3], 1, 1, 4, 2, 3, 2, 4, 10, 9, 7, 7, 7, 1, 2, 3);
    await expectSameOnThreads(async () => {
      const x = tensor(logits.values as Float32Array, logits.shape);
      const t = tensor(targets.values as Int32Array, targets.shape);
      const options = { inputLengths: [40, 33, 12, 8, 1], targetLengths: [3, 2, 3, 3, 1] } as const;
      const { value, grads } = valueAndGrad((v) => ctcLoss(logSoftmax(v), t, options), [x]);
      const results = [await read(value), await read(grads[0])];
      for (const each of [x, t, value, ...grads]) each.dispose();
      return results;
    });
  });
}, ["wasm"]);
