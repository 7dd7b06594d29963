import { expect, it } from "vitest";
import {
  add,
  dispose,
  grad,
  lstmSequence,
  mul,
  RandomGenerator,
  randomNormal,
  scalar,
  square,
  sum,
  tidy,
  zeros,
} from "../../index.js";
import { describeEachDevice, describeKernel, expectNoLeak, randomHostTensor } from "../../testing/index.js";
import { lstmSequenceKernel } from "./lstm-sequence.js";
import { lstmSequenceReference } from "./lstm-sequence.reference.js";

const inputs = (length: number, batch: number, size: number, contains: number[] = []) => ({
  inputGates: randomHostTensor([length, batch, 4 * size], { scale: 2, contains }),
  hiddenWeight: randomHostTensor([4 * size, size], { scale: 0.5, stream: "weight" }),
  hidden: randomHostTensor([batch, size], { stream: "hidden" }),
  cell: randomHostTensor([batch, size], { stream: "cell" }),
});

describeKernel(lstmSequenceKernel, {
  "no steps": { inputs: inputs(0, 2, 3), attrs: { reverse: false }, gradient: false },
  "no batch": { inputs: inputs(2, 0, 3), attrs: { reverse: false } },
  "one step": { inputs: inputs(1, 2, 3), attrs: { reverse: false } },
  "odd sizes, NaN": { inputs: inputs(3, 5, 7, [Number.NaN]), attrs: { reverse: false } },
  "more gates than threads": {
    inputs: inputs(3, 2, 70),
    attrs: { reverse: false },
    tolerance: { relative: 3e-5 },
  },
  // the reference adds each step's product to the weight's gradient, the kernel sums in one product
  "from the end": { inputs: inputs(4, 3, 6), attrs: { reverse: true }, tolerance: { relative: 3e-5 } },
});

describeEachDevice("lstmSequence", () => {
  it("has the gradients of its steps, of the states alone and of states and cells", async () => {
    const generator = new RandomGenerator(6);
    const shapes = [
      [3, 2, 280],
      [280, 70],
      [2, 70],
      [2, 70],
    ];
    const given = shapes.map((shape) => mul(randomNormal(shape, { generator }), 0.3));
    for (const counted of [1, 2])
      for (const reverse of [false, true]) {
        const gradients = (run: typeof lstmSequenceKernel.multiple) =>
          grad(
            (inputGates, hiddenWeight, hidden, cell) =>
              run({ inputGates, hiddenWeight, hidden, cell }, { reverse })
                .slice(0, counted)
                .reduce((total, states) => add(total, sum(square(states))), scalar(0)),
            given,
          );
        const fused = gradients(lstmSequenceKernel.multiple);
        const plain = gradients((values, attributes) =>
          tidy(() => lstmSequenceReference(values, attributes)),
        );
        for (const [index, gradient] of fused.entries())
          await expect(gradient).toBeCloseToTensor(plain[index], { relative: 1e-4 }); // sums in another order
        dispose([...fused, ...plain]);
      }
    dispose(given);
  });

  it("has the second derivatives of its steps", async () => {
    await expectNoLeak(async () => {
      const generator = new RandomGenerator(5);
      const given = [
        [2, 2, 8],
        [8, 2],
        [2, 2],
        [2, 2],
      ].map((shape) => randomNormal(shape, { generator }));
      const [gates, weight, hidden, cell] = given;
      const penalty = (run: (g: typeof gates, w: typeof weight) => typeof gates) =>
        grad((g, w) => sum(square(grad((inner) => sum(square(run(inner, w))), [g])[0])), [gates, weight]);
      const fused = penalty((g, w) => tidy(() => lstmSequence(g, w, { hidden, cell }).hidden));
      const plain = penalty((g, w) =>
        tidy(
          () =>
            lstmSequenceReference({ inputGates: g, hiddenWeight: w, hidden, cell }, { reverse: false })[0],
        ),
      );
      await expect(fused[0]).toBeCloseToTensor(plain[0], { relative: 1e-4 }); // sums of sums in another order
      await expect(fused[1]).toBeCloseToTensor(plain[1], { relative: 1e-4 });
      dispose([...given, ...fused, ...plain]);
    });
  });

  it("leaks nothing and refuses what does not fit", async () => {
    const gates = zeros([2, 3, 8]);
    const weight = zeros([8, 2]);
    const state = zeros([3, 2]);
    const integers = zeros([3, 2], "int32");
    await expectNoLeak(() => dispose(lstmSequence(gates, weight, { hidden: state, cell: state })));
    expect(() => lstmSequence(gates, state, { hidden: state, cell: state })).toThrow(
      /lstmSequence: expected inputGates/,
    );
    expect(() => lstmSequence(gates, weight, { hidden: integers, cell: state })).toThrow(
      /float32 for hidden/,
    );
    dispose([gates, weight, state, integers]);
  });
});
