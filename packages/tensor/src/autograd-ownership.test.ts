import { expect, it } from "vitest";
import {
  add,
  checkpoint,
  customGradient,
  exp,
  grad,
  InputError,
  KernelError,
  mul,
  noGrad,
  raiseVersion,
  read,
  reshape,
  scalar,
  square,
  stopGradient,
  sum,
  type Tensor,
  tensor,
  valueAndGrad,
} from "./index.js";
import { describeEachDevice, expectNoLeak } from "./testing/index.js";

describeEachDevice("what a gradient owns", () => {
  it("leaves a tensor alone that the function returns without having made it", () =>
    expectNoLeak(async () => {
      const [x, other] = [scalar(3), scalar(2)];
      expect(grad(() => other, [x], { allowUnused: true })).toEqual([null]);
      expect(() => grad(() => other, [x])).toThrow(InputError);
      expect([...(await read(other))]).toEqual([2]);
      const { value, grads } = valueAndGrad((a) => a, [x]);
      value.dispose();
      expect([...(await read(x))]).toEqual([3]);
      const checkpointed = grad((a) => checkpoint(() => a, [], [a]), [x]);
      expect([...(await read(x))]).toEqual([3]);
      for (const gradient of [x, other, ...grads, ...checkpointed]) gradient.dispose();
    }));

  it("leaves a tensor alone that a custom gradient gives without having made it", () =>
    expectNoLeak(async () => {
      const [x, constant] = [tensor([1, 2]), tensor([5, 6])];
      const twice = customGradient(
        (a) => mul(a, 2),
        () => [constant],
      );
      const [direct] = grad((a) => sum(twice(a)), [x]);
      const [through] = grad((a) => sum(twice(add(a, 1))), [x]);
      expect([...(await read(direct))]).toEqual([5, 6]);
      direct.dispose();
      expect([...(await read(through))]).toEqual([5, 6]);
      expect([...(await read(constant))]).toEqual([5, 6]);
      for (const made of [x, constant, through]) made.dispose();
    }));

  it("gives a tensor of its own to each input, one that is listed twice too", () =>
    expectNoLeak(async () => {
      const x = tensor([1, 2]);
      const [first, second] = grad((a, b) => sum(mul(a, b)), [x, x]);
      first.dispose();
      expect([...(await read(second))]).toEqual([2, 4]);
      second.dispose();
      x.dispose();
    }));

  it("lets second derivatives flow through a seed that arrives unchanged", () =>
    expectNoLeak(async () => {
      const [x, seed] = [tensor([1, 2]), tensor([3, 4])];
      const [gradient] = grad((s) => sum(square(grad((a) => reshape(a, [2]), [x], { seed: s })[0])), [seed]);
      expect([...(await read(gradient))]).toEqual([6, 8]);
      for (const made of [x, seed, gradient]) made.dispose();
    }));

  it("refuses a result that was updated in place since the forward pass", () =>
    expectNoLeak(() => {
      const x = tensor([1, 2]);
      const run = () =>
        grad(
          (a) => {
            const y = exp(a);
            raiseVersion(y);
            return sum(y);
          },
          [x],
        );
      expect(run).toThrow(KernelError);
      x.dispose();
    }));

  it("says what is wrong with the arguments", () =>
    expectNoLeak(() => {
      const x = tensor([1, 2]);
      const total = (a: Tensor) => sum(a);
      const wrong: (() => unknown)[] = [
        () => grad(total, x as never),
        () => grad(total, undefined as never),
        () => grad(total, [null as never]),
        () => grad("sum" as never, [x]),
        () => grad(total, [x], { seed: 1 as never }),
        () => noGrad(undefined as never),
        () => stopGradient(undefined as never),
        () => customGradient(undefined as never, (dy) => [dy]),
        () =>
          customGradient(
            () => 3 as never,
            (dy) => [dy],
          )(x),
        () => checkpoint(total, x as never),
        () => checkpoint(undefined as never, [x]),
        () =>
          grad(
            (a) =>
              sum(
                customGradient(
                  (b) => mul(b, 2),
                  () => undefined as never,
                )(a),
              ),
            [x],
          ),
        () =>
          grad(
            (a) =>
              sum(
                customGradient(
                  (b) => mul(b, 2),
                  () => [undefined as never],
                )(a),
              ),
            [x],
          ),
      ];
      for (const call of wrong) expect(call, String(call)).toThrow(InputError);
      x.dispose();
    }));
});
