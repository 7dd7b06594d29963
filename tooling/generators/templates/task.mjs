/** A task: it is loaded with a model, called with inputs, gives plain JSON, is disposed. A classifier until changed. */
export function taskFiles({ kebab, pascal, camel, title }, packageName) {
  const folder = `packages/${packageName}/src/tasks`;
  return {
    files: {
      [`${folder}/${kebab}.ts`]: `import {
  type DeviceName,
  InputError,
  read,
  ShapeError,
  softmax,
  type Tensor,
  tidy,
  useDevice,
} from "@ai/tensor";

/** What the task needs of a model: a score a class for each input. */
export interface ${pascal}Model {
  /** @param x \`[batch, ...]\` @returns \`[batch, classes]\` scores before the softmax. */
  call(x: Tensor): Tensor;
  /** Frees the weights. */
  dispose(): void;
}

/** Options of {@link load${pascal}}. */
export interface Load${pascal}Options {
  /** Names of the classes, in the order of the model's scores. */
  readonly classes: readonly string[];
  /** Where to compute; chosen as {@link useDevice} does when left out. */
  readonly device?: DeviceName;
}

/** One answer of ${title}. */
export interface ${pascal}Answer {
  readonly label: string;
  /** In [0, 1]; the answers of one input sum to 1. */
  readonly probability: number;
}

/** A loaded task: call it with a batch. */
export interface ${pascal}Task {
  /** @param x \`[batch, ...]\` @returns for each input its answers, the most probable first. */
  (x: Tensor): Promise<${pascal}Answer[][]>;
  /** Frees the model. */
  dispose(): void;
}

/**
 * Loads ${title}.
 * @throws InputError without classes.
 * @example
 * const ${camel} = await load${pascal}(model, { classes: ["no", "yes"] });
 * const [answers] = await ${camel}(x);
 */
export async function load${pascal}(
  model: ${pascal}Model,
  { classes, device }: Load${pascal}Options,
): Promise<${pascal}Task> {
  if (classes.length === 0) throw new InputError("load${pascal}: expected at least one class, got none");
  await useDevice(device);
  const answer = async (x: Tensor): Promise<${pascal}Answer[][]> => {
    const probabilities = tidy(() => softmax(model.call(x))); // [batch, classes]
    const shape = probabilities.shape;
    const values = await read(probabilities);
    probabilities.dispose();
    if (shape[1] !== classes.length)
      throw new ShapeError(\`${camel}: expected \${classes.length} scores an input, got \${shape[1]}\`);
    return Array.from({ length: shape[0] }, (_, row) =>
      classes
        .map((label, column) => ({ label, probability: values[row * classes.length + column] }))
        .sort((a, b) => b.probability - a.probability),
    );
  };
  return Object.assign(answer, { dispose: () => model.dispose() });
}
`,
      [`${folder}/${kebab}.test.ts`]: `import { InputError, ShapeError, tensor } from "@ai/tensor";
import { describeEachDevice, expectNoLeak } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import { load${pascal} } from "./${kebab}.js";

/** Scores that are the input itself. */
const identity = { call: (x: ReturnType<typeof tensor>) => x, dispose: () => {} };

describeEachDevice("load${pascal}", (device) => {
  it("gives plain answers, the most probable first, also when calls overlap", async () => {
    const ${camel} = await load${pascal}(identity, { classes: ["a", "b"], device });
    const x = tensor([[0, 0], [0, Math.log(3)]]);
    await expectNoLeak(async () => {
      const [first, second] = await Promise.all([${camel}(x), ${camel}(x)]);
      expect(first).toEqual(second);
      expect(first[1][0].label).toBe("b");
      expect(first[1][0].probability).toBeCloseTo(0.75, 5);
      expect(structuredClone(first)).toEqual(first);
    });
    x.dispose();
    ${camel}.dispose();
  });

  it("refuses no classes, and a model with another number of scores", async () => {
    await expect(load${pascal}(identity, { classes: [], device })).rejects.toThrow(InputError);
    const ${camel} = await load${pascal}(identity, { classes: ["a", "b", "c"], device });
    const x = tensor([[0, 0]]);
    await expect(${camel}(x)).rejects.toThrow(ShapeError);
    x.dispose();
  });
});
`,
    },
    exports: {
      [`packages/${packageName}/src/index.ts`]: `export { type ${pascal}Answer, type ${pascal}Model, type ${pascal}Task, load${pascal}, type Load${pascal}Options } from "./tasks/${kebab}.js";`,
    },
    next: [
      "replace the tensor input by the user's own (picture, text, sound) with what preprocess/ has",
      "docs/contributing/add-a-task.md",
    ],
  };
}
