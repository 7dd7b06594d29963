const EMPTY_REGISTRY = `/** Every model of this package, loaded on demand, with the tasks that it serves. */
export const models = {} as const;
`;

/** Puts a row into `export const models = { … }`. */
export function addToRegistry(text, { kebab, camel }) {
  const row = `  ${camel}: { load: () => import("./${kebab}/${kebab}.js"), tasks: [] },\n`;
  const pattern = /(export const models\b[^=]*= \{)\n?([\s\S]*?)(\n?\}( as const)?( satisfies [^;]+)?;)/;
  if (!pattern.test(text))
    throw new Error("new: models/registry.ts has no `export const models = { … };` to add to");
  return text.replace(
    pattern,
    (_, open, rows, close) =>
      `${open}\n${rows}${rows === "" || rows.endsWith("\n") ? "" : "\n"}${row}${close.replace(/^\n/, "")}`,
  );
}

/** A model: its options, its module, its test, its row in the registry. Two linear layers until the author puts others. */
export function modelFiles({ kebab, pascal, camel }, packageName) {
  const folder = `packages/${packageName}/src/models/${kebab}`;
  return {
    files: {
      [`${folder}/${kebab}.config.ts`]: `/** Sizes of a {@link ${pascal}}. */
export interface ${pascal}Config {
  /** Size of an input. */
  readonly numFeatures: number;
  /** Size of the layer between. */
  readonly hiddenDim: number;
  /** Number of classes. */
  readonly numClasses: number;
}
`,
      [`${folder}/${kebab}.ts`]: `import { Linear, Module } from "@ai/layers";
import { relu, type Tensor } from "@ai/tensor";
import type { ${pascal}Config } from "./${kebab}.config.js";

/** Scores a class: two linear layers with a ReLU between. */
export class ${pascal} extends Module<[x: Tensor], Tensor> {
  readonly hidden: Linear;
  readonly output: Linear;

  constructor({ numFeatures, hiddenDim, numClasses }: ${pascal}Config) {
    super();
    this.hidden = new Linear(numFeatures, hiddenDim);
    this.output = new Linear(hiddenDim, numClasses);
  }

  /** @param x \`[batch, numFeatures]\` @returns \`[batch, numClasses]\` scores before the softmax. */
  protected forward(x: Tensor): Tensor {
    return this.output.call(relu(this.hidden.call(x)));
  }
}
`,
      [`${folder}/${kebab}.test.ts`]: `import { ShapeError, zeros } from "@ai/tensor";
import { describeEachDevice, expectNoLeak } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import { models } from "../registry.js";

const CONFIG = { numFeatures: 4, hiddenDim: 8, numClasses: 3 };

describeEachDevice("${pascal}", () => {
  it("is in the registry and gives a score a class", async () => {
    const { ${pascal} } = await models.${camel}.load();
    const model = new ${pascal}(CONFIG);
    const x = zeros([2, 4]);
    await expectNoLeak(() => {
      const scores = model.call(x);
      expect(scores.shape).toEqual([2, 3]);
      scores.dispose();
    });
    x.dispose();
    model.dispose();
  });

  it("refuses an input of another size", async () => {
    const { ${pascal} } = await models.${camel}.load();
    const model = new ${pascal}(CONFIG);
    const x = zeros([2, 5]);
    expect(() => model.call(x)).toThrow(ShapeError);
    x.dispose();
    model.dispose();
  });
});
`,
    },
    edits: {
      [`packages/${packageName}/src/models/registry.ts`]: (text = EMPTY_REGISTRY) =>
        addToRegistry(text, { kebab, camel }),
    },
    next: [
      "put the real layers in, names as in the checkpoint",
      "store a PyTorch result and compare with it: docs/contributing/add-a-model.md",
    ],
  };
}
