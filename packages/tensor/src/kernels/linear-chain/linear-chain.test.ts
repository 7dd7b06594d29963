import { expect, it } from "vitest";
import {
  add,
  dispose,
  grad,
  gradcheck,
  linearChainLogPartition,
  mul,
  RandomGenerator,
  randomNormal,
  read,
  square,
  sum,
  tensor,
  valueAndGrad,
  zeros,
} from "../../index.js";
import {
  describeEachDevice,
  describeKernel,
  expectNoLeak,
  type HostTensor,
  randomHostTensor,
} from "../../testing/index.js";
import { expectSameOnThreads } from "../../testing/wasm-threads.js";
import { linearChainKernel } from "./linear-chain.js";

const integers = (...values: number[]): HostTensor => ({
  shape: [values.length],
  dtype: "int32",
  values: Int32Array.from(values),
});

const inputs = (shape: [number, number, number], lengths: number[], contains: number[] = []) => ({
  emissions: randomHostTensor(shape, { contains }),
  transitions: randomHostTensor([shape[2], shape[2]], { stream: "transitions", contains }),
  start: randomHostTensor([shape[2]], { stream: "start" }),
  end: randomHostTensor([shape[2]], { stream: "end" }),
  lengths: integers(...lengths),
});

// sums of expected counts over steps and items, in another order
const sums = { tolerance: { relative: 3e-5, absoluteScale: 3e-6 }, attrs: {} };

describeKernel(linearChainKernel, {
  "no items": { inputs: inputs([0, 2, 3], []), attrs: {} },
  "no steps": { inputs: inputs([2, 0, 3], [0, 0]), attrs: {}, gradient: false },
  "one step and none": { inputs: inputs([2, 1, 3], [1, 0]), attrs: {}, gradient: false }, // nothing depends on the transitions
  "lengths, tags that do not fill a vector": { inputs: inputs([4, 6, 5], [6, 1, 0, 4]), ...sums },
  "many tags": { inputs: inputs([1, 3, 67], [3]), ...sums },
  "one tag": { inputs: inputs([2, 3, 1], [3, 2]), ...sums },
  "forbidden tags and pairs": {
    inputs: inputs([3, 4, 4], [4, 3, 2], [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]),
    ...sums,
  },
  NaN: { inputs: inputs([2, 3, 4], [3, 2], [Number.NaN]), ...sums },
});

/** All sequences one by one, in double precision. */
function bruteForce(emissions: number[][], transitions: number[][], start: number[], end: number[]): number {
  const tags = start.length;
  let scores = [{ last: -1, score: 0 }];
  for (const [step, row] of emissions.entries())
    scores = scores.flatMap(({ last, score }) =>
      row.map((value, tag) => ({
        last: tag,
        score: score + value + (step === 0 ? start[tag] : transitions[last][tag]),
      })),
    );
  expect(scores.length).toBe(tags ** emissions.length);
  return Math.log(scores.reduce((total, { last, score }) => total + Math.exp(score + end[last]), 0));
}

describeEachDevice("linearChainLogPartition", () => {
  it("is the sum over all sequences", async () => {
    const emissions = [
      [0.5, -1, 2],
      [1, 0, -0.25],
      [0, 3, 1],
      [-2, 0.125, 0],
    ];
    const transitions = [
      [0.5, -1, 0],
      [2, 0.25, -0.5],
      [1, 0, -2],
    ];
    const [start, end] = [
      [1, 0, -1],
      [0.5, -0.5, 2],
    ];
    const given = [tensor([emissions, emissions]), tensor(transitions), tensor(start), tensor(end)];
    const totals = linearChainLogPartition(given[0], given[1], {
      start: given[2],
      end: given[3],
      lengths: [4, 2],
    });
    const expected = [emissions, emissions.slice(0, 2)].map((rows) =>
      bruteForce(rows, transitions, start, end),
    );
    await expect(totals).toBeCloseToTensor({ shape: [2], dtype: "float32", values: expected });
    const plain = linearChainLogPartition(given[0], given[1]);
    const alone = bruteForce(emissions, transitions, [0, 0, 0], [0, 0, 0]);
    await expect(plain).toBeCloseToTensor({ shape: [2], dtype: "float32", values: [alone, alone] });
    dispose([...given, totals, plain]);
  });

  it("stays exact over long sequences, and reads nothing behind an item's end", async () => {
    const length = 400;
    const emissions = new Float32Array(2 * length * 2);
    for (let step = 0; step < length; step++) emissions.set([90, 88], 2 * step);
    emissions.fill(Number.NaN, 2 * length + 2);
    emissions.set([1, 3], 2 * length);
    const x = tensor(emissions, [2, length, 2]);
    const transitions = tensor([
      [0.5, 0],
      [0, -0.5],
    ]);
    const { value, grads } = valueAndGrad(
      (e, t) => sum(linearChainLogPartition(e, t, { lengths: [length, 1] })),
      [x, transitions],
    );
    // the powers of a 2×2 matrix, in double precision
    let [first, second, scale] = [1, Math.exp(-2), 90];
    for (let step = 1; step < length; step++) {
      const next = [first * Math.exp(0.5) + second, (first + second * Math.exp(-0.5)) * Math.exp(-2)];
      [first, second, scale] = [1, next[1] / next[0], scale + 90 + Math.log(next[0])];
    }
    const expected = scale + Math.log(first + second) + Math.log(Math.exp(1) + Math.exp(3));
    expect(Math.abs((await read(value))[0] / expected - 1)).toBeLessThan(1e-6);
    const shares = await read(grads[0]);
    for (let step = 0; step < length; step++)
      expect(shares[2 * step] + shares[2 * step + 1]).toBeCloseTo(1, 5);
    expect(shares.subarray(2 * length + 2).every((share) => share === 0)).toBe(true);
    const counts = (await read(grads[1])) as Float32Array;
    // scores of 90 have a spacing of 8e-6
    expect(counts.reduce((total, count) => total + count) / (length - 1)).toBeCloseTo(1, 4);
    dispose([x, transitions, value, ...grads]);
  });

  it("gives items without a possible sequence −∞ and gradient 0", async () => {
    const x = zeros([1, 3, 2]);
    const none = tensor([
      [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY],
      [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY],
    ]);
    const { value, grads } = valueAndGrad((e, t) => sum(linearChainLogPartition(e, t)), [x, none]);
    expect([...(await read(value))]).toEqual([Number.NEGATIVE_INFINITY]);
    for (const gradient of grads) expect((await read(gradient)).every((each) => each === 0)).toBe(true);
    dispose([x, none, value, ...grads]);
  });

  it("has second derivatives", async () => {
    const generator = new RandomGenerator(3);
    const x = randomNormal([2, 3, 3], { generator });
    const transitions = randomNormal([3, 3], { generator });
    const entropyLike = (e: typeof x) =>
      sum(
        square(
          grad((inner) => sum(linearChainLogPartition(inner, transitions, { lengths: [3, 2] })), [e])[0],
        ),
      );
    const [gradient] = grad(entropyLike, [x]);
    const direction = randomNormal(x.shape, { generator });
    const [ahead, behind] = [1e-2, -1e-2].map((step) => {
      const moved = add(x, mul(direction, step));
      const value = entropyLike(moved);
      moved.dispose();
      return value;
    });
    const slope = ((await read(ahead))[0] - (await read(behind))[0]) / 2e-2;
    const along = mul(gradient, direction);
    const exact = ((await read(along)) as Float32Array).reduce((total, each) => total + each);
    expect(Math.abs(slope - exact)).toBeLessThan(2e-3 * Math.max(1, Math.abs(exact)));
    dispose([x, transitions, gradient, direction, ahead, behind, along]);
  });

  it("leaks nothing and refuses what does not fit", async () => {
    const [x, transitions, start, whole] = [zeros([2, 3, 4]), zeros([4, 4]), zeros([4]), zeros([4], "int32")];
    await expectNoLeak(() => {
      for (const each of grad((e) => sum(linearChainLogPartition(e, transitions)), [x])) each.dispose();
    });
    const wrong: [() => unknown, RegExp][] = [
      [() => linearChainLogPartition(x, start), /linearChainLogPartition: expected emissions \[batch/],
      [() => linearChainLogPartition(start, transitions), /got \[4\], \[4, 4\]/],
      [() => linearChainLogPartition(x, transitions, { start: x }), /start and end \[tags\], got/],
      [() => linearChainLogPartition(x, transitions, { end: whole }), /float32 for end, got int32/],
      [() => linearChainLogPartition(x, transitions, { lengths: [3, 4] }), /lengths in \[0, 3\], got 4/],
      [() => linearChainLogPartition(x, transitions, { lengths: [3] }), /lengths of shape \[2\]/],
      [() => linearChainLogPartition(x, transitions, { mask: x } as object), /got one named mask/],
    ];
    for (const [call, message] of wrong) expect(call).toThrow(message);
    dispose([x, transitions, start, whole]);
  });
});

describeEachDevice("linearChainLogPartition", () => {
  it("has the gradients that differences give", async () => {
    const generator = new RandomGenerator(4);
    const shapes = [[2, 4, 3], [3, 3], [3], [3]];
    const given = shapes.map((shape) => randomNormal(shape, { generator }));
    await gradcheck(
      (e, t, start, end) => sum(linearChainLogPartition(e, t, { start, end, lengths: [4, 2] })),
      given,
    );
    dispose(given);
  });
}, ["cpu"]);

describeEachDevice("linearChainLogPartition on threads", () => {
  it("gives the same bits for any number", async () => {
    const given = inputs([5, 20, 7], [20, 0, 1, 13, 20]);
    await expectSameOnThreads(async () => {
      const tensors = [given.emissions, given.transitions, given.start, given.end].map(({ values, shape }) =>
        tensor(values as Float32Array, shape),
      );
      const { value, grads } = valueAndGrad(
        (e, t, start, end) => sum(linearChainLogPartition(e, t, { start, end, lengths: [20, 0, 1, 13, 20] })),
        tensors,
      );
      const results = await Promise.all([value, ...grads].map(async (each) => (await read(each)).slice()));
      dispose([...tensors, value, ...grads]);
      return results;
    });
  });
}, ["wasm"]);
