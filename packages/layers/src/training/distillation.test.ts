import {
  dispose,
  InputError,
  memory,
  mul,
  randomNormal,
  ShapeError,
  type Tensor,
  valueAndGrad,
} from "@ai/tensor";
import { describeEachDevice, type HostTensor } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import { Linear, Module, quantizeModel, ReLU, Sequential } from "../index.js";
import { loadLayerFixture } from "../testing/layer-cases.js";
import { AdamW, DataLoader, distillation, softTargetLoss, TensorDataset, Trainer } from "./index.js";

const fixture = await loadLayerFixture("compression");

/** Gives its input, or what it was made with, as logits. */
class Answers extends Module<[input: Tensor], Tensor> {
  readonly #logits: Tensor | undefined;
  constructor(logits?: Tensor) {
    super();
    this.#logits = logits;
  }
  protected forward(input: Tensor): Tensor {
    return mul(this.#logits ?? input, 1);
  }
}

describeEachDevice("distillation", () => {
  it("equals PyTorch's loss and gradient", async () => {
    const parts = ["student", "teacher", "targets"];
    const [student, teacher, targets] = parts.map((name) => fixture.tensor(`soft/${name}`));
    const before = memory().numTensors;
    for (const [temperature, softShare] of [
      [1, 1],
      [4, 0.7],
    ]) {
      const loss = distillation({ teacher: new Answers(teacher), temperature, softShare });
      const { value, grads } = valueAndGrad(
        (input) => (loss([input, targets], new Answers()) as { loss: Tensor }).loss,
        [student],
      );
      await expect(value).toBeCloseToTensor(fixture.host(`soft${temperature}/loss`) as HostTensor);
      await expect(grads[0]).toBeCloseToTensor(fixture.host(`soft${temperature}/gradient`) as HostTensor);
      dispose([value, grads]);
    }
    expect(memory().numTensors).toBe(before);
    dispose([student, teacher, targets]);
  });

  it("refuses what does not fit, by name, and leaves no hooks or tensors behind", () => {
    const [teacher, student] = [4, 2].map(
      (size) => new Sequential(new Linear(3, size), new ReLU(), new Linear(size, 2)),
    );
    const x = randomNormal([2, 3]);
    student.parameters();
    teacher.parameters();
    const before = memory().numTensors;
    const fails = (options: object, message: RegExp): void => {
      expect(() => distillation({ teacher, ...options })([x, x], student)).toThrow(message);
      expect(memory().numTensors).toBe(before);
    };
    fails({ teacher: {} }, /module as teacher/);
    fails({ features: { student: "0", teacher: "0" } }, /features as an array, got object/);
    fails({ temperature: 0 }, /temperature above 0/);
    fails({ softShare: 2 }, /softShare in \[0, 1\]/);
    fails({ alpha: 1 }, /one named alpha/);
    fails({ features: [{ student: "9", teacher: "1" }] }, /layer of the student, got "9"/);
    fails({ features: [{ student: "1", teacher: "9" }] }, /layer of the teacher, got "9"/);
    const scope = { softShare: 1, features: [{ student: "1", teacher: "1" }] };
    expect(() => distillation({ teacher, ...scope })([x, x], student)).toThrow(ShapeError);
    expect(() => softTargetLoss(x, x, { temperature: Number.NaN })).toThrow(InputError);
    for (const model of [teacher, student]) model.dispose();
    dispose(x);
  });
});

describeEachDevice("distillation with a Trainer", () => {
  it("trains a small student, its features like the teacher's, who stays as he was; rounded, it is as good", async () => {
    const build = (hidden: number, seed: number): Sequential =>
      new Sequential(new Linear(6, hidden), new ReLU(), new Linear(hidden, 3)).initialize({ seed });
    const [teacher, student] = [build(16, 1), build(4, 2)];
    const project = new Linear(4, 16);
    const taught = await teacher.stateDict();
    teacher.train();
    const count = 32;
    const data = new TensorDataset([
      {
        values: Float32Array.from({ length: count * 6 }, (_, i) => Math.sin(i * i)),
        shape: [count, 6],
        dtype: "float32",
      },
      { values: Int32Array.from({ length: count }, (_, i) => i % 3), shape: [count], dtype: "int32" },
    ]);
    const trainer = new Trainer({
      model: student,
      optimizer: new AdamW([...student.parameters(), ...project.parameters()], { learningRate: 0.05 }),
      computeLoss: distillation({
        teacher,
        softShare: 1,
        features: [{ student: "1", teacher: "1", weight: 0.5, project: (x) => project.call(x) }],
      }) as never,
    });
    const before = memory().numTensors;
    const loader = new DataLoader(data, { batchSize: 32 }) as never;
    const { history } = await trainer.fit(loader, { epochs: 6 });
    expect(history.losses.at(-1)!).toBeLessThan(0.8 * history.losses[0]);
    expect(await teacher.stateDict()).toEqual(taught);
    expect(teacher.namedModules().map(([, part]) => part.training)).toEqual([true, true, true, true]);
    expect(memory().numTensors).toBe(before + 2 * 6); // the optimizer's moments
    const { loss } = await trainer.evaluate(loader);
    quantizeModel(student);
    // 127 steps a row: a hundredth of the loss at most
    expect(Math.abs((await trainer.evaluate(loader)).loss - loss)).toBeLessThan(0.01 * loss);
    for (const model of [teacher, student, project]) model.dispose();
  });
});
