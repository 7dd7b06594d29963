import { expect, it } from "vitest";
import {
  add,
  dispose,
  grad,
  gruSequence,
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
import { gruSequenceKernel } from "./gru-sequence.js";
import { gruSequenceReference } from "./gru-sequence.reference.js";

const inputs = (length: number, batch: number, size: number, contains: number[] = []) => ({
  inputGates: randomHostTensor([length, batch, 3 * size], { scale: 2, contains }),
  hiddenWeight: randomHostTensor([3 * size, size], { scale: 0.5, stream: "weight" }),
  hiddenBias: randomHostTensor([3 * size], { stream: "bias" }),
  hidden: randomHostTensor([batch, size], { stream: "hidden" }),
});
const { hiddenBias: _, ...unbiased } = inputs(2, 9, 8);
// the reference adds each step's product to the weight's gradient, the kernel sums in one product
const tolerance = { relative: 3e-5 };

describeKernel(gruSequenceKernel, {
  "no steps": { inputs: inputs(0, 2, 3), attrs: { reverse: false }, gradient: false },
  "no batch": { inputs: inputs(2, 0, 3), attrs: { reverse: false } },
  "one step": { inputs: inputs(1, 2, 3), attrs: { reverse: false }, tolerance },
  "odd sizes, NaN": { inputs: inputs(3, 5, 7, [Number.NaN]), attrs: { reverse: false }, tolerance },
  "from the end, without bias": { inputs: unbiased, attrs: { reverse: true }, tolerance },
  "more gates than threads": { inputs: inputs(3, 2, 90), attrs: { reverse: false }, tolerance },
  "several groups of units": { inputs: inputs(4, 6, 21), attrs: { reverse: true }, tolerance },
});

describeEachDevice("gruSequence", () => {
  it("has the gradients of its steps, of the states alone", async () => {
    const generator = new RandomGenerator(6);
    const shapes = [[3, 2, 210], [210, 70], [210], [2, 70]];
    const given = shapes.map((shape) => mul(randomNormal(shape, { generator }), 0.3));
    for (const reverse of [false, true]) {
      const gradients = (run: typeof gruSequenceKernel.multiple) =>
        grad(
          (inputGates, hiddenWeight, hiddenBias, hidden) =>
            run({ inputGates, hiddenWeight, hiddenBias, hidden }, { reverse })
              .slice(0, 1)
              .reduce((total, states) => add(total, sum(square(states))), scalar(0)),
          given,
        );
      const fused = gradients(gruSequenceKernel.multiple);
      const plain = gradients((values, attributes) => tidy(() => gruSequenceReference(values, attributes)));
      for (const [index, gradient] of fused.entries())
        await expect(gradient).toBeCloseToTensor(plain[index], { relative: 1e-4 }); // sums in another order
      dispose([...fused, ...plain]);
    }
    dispose(given);
  });

  it("has the second derivatives of its steps", async () => {
    await expectNoLeak(async () => {
      const generator = new RandomGenerator(5);
      const given = [[2, 2, 6], [6, 2], [6], [2, 2]].map((shape) => randomNormal(shape, { generator }));
      const [gates, weight, hiddenBias, hidden] = given;
      const penalty = (run: (g: typeof gates, w: typeof weight) => typeof gates) =>
        grad((g, w) => sum(square(grad((inner) => sum(square(run(inner, w))), [g])[0])), [gates, weight]);
      const fused = penalty((g, w) => gruSequence(g, w, { hidden, hiddenBias }));
      const plain = penalty((g, w) =>
        tidy(
          () =>
            gruSequenceReference(
              { inputGates: g, hiddenWeight: w, hiddenBias, hidden },
              { reverse: false },
            )[0],
        ),
      );
      await expect(fused[0]).toBeCloseToTensor(plain[0], { relative: 1e-4 }); // sums of sums in another order
      await expect(fused[1]).toBeCloseToTensor(plain[1], { relative: 1e-4 });
      dispose([...given, ...fused, ...plain]);
    });
  });

  it("leaks nothing and refuses what does not fit", async () => {
    const gates = zeros([2, 3, 6]);
    const weight = zeros([6, 2]);
    const state = zeros([3, 2]);
    const integers = zeros([3, 2], "int32");
    await expectNoLeak(() => gruSequence(gates, weight, { hidden: state }).dispose());
    expect(() => gruSequence(gates, state, { hidden: state })).toThrow(/gruSequence: expected inputGates/);
    expect(() => gruSequence(gates, weight, { hidden: state, hiddenBias: state })).toThrow(
      /hiddenBias \[3·hidden\]/,
    );
    expect(() => gruSequence(gates, weight, { hidden: integers })).toThrow(/float32 for hidden/);
    dispose([gates, weight, state, integers]);
  });
});
