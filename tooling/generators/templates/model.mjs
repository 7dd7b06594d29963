import { namesOf } from "../names.mjs";

/** What the registry of a domain begins as. */
const emptyRegistry = (pascal) => `import { modelEntries } from "@ai/layers/tasks";

/** What each task needs of a model. */
export type ${pascal}Models = Record<never, never>;

/** How inputs are made ready where a checkpoint does not say. */
export type ${pascal}Preprocessing = Readonly<Record<string, unknown>>;

const entry = /* @__PURE__ */ modelEntries<${pascal}Models, ${pascal}Preprocessing>();

/** Every model of this package, loaded on demand, with the tasks that it serves. */
export const models = {};
`;

/** A preprocessing that type-checks, until the author says what the weights want. */
const PREPROCESSING = { vision: '{ image_processor_type: "ViTImageProcessor" }' };

const rowOf = ({ kebab, pascal, camel }, packageName) => `  ${camel}: /* @__PURE__ */ entry({
    load: async () => ({
      ...(await import("./${kebab}/${kebab}.js")),
      ...(await import("./${kebab}/${kebab}.config.js")),
    }),
    create: ({ ${pascal}, read${pascal}Config }, config) => ({ model: new ${pascal}(read${pascal}Config(config)) }),
    modelTypes: ["${kebab.replaceAll("-", "_")}"],
    tasks: [],
    preprocessing: ${PREPROCESSING[packageName] ?? "{}"},
  }),
`;

/** Puts a row into `export const models = { … }`. */
export function addToRegistry(text, names, packageName) {
  const row = rowOf(names, packageName);
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
export function modelFiles(names, packageName) {
  const { kebab, pascal, camel } = names;
  const folder = `packages/${packageName}/src/models/${kebab}`;
  return {
    files: {
      [`${folder}/${kebab}.config.ts`]: `import { InputError } from "@ai/tensor";

/** Sizes of a {@link ${pascal}}. */
export interface ${pascal}Config {
  /** Size of an input. */
  readonly numFeatures: number;
  /** Size of the layer between. */
  readonly hiddenDim: number;
  /** Number of classes. */
  readonly numClasses: number;
}

/**
 * Reads the \`config.json\` of a checkpoint.
 * @throws InputError for a size that is none.
 */
export function read${pascal}Config(json: Readonly<Record<string, unknown>>): ${pascal}Config {
  const size = (name: string): number => {
    const value = json[name];
    if (!Number.isInteger(value) || (value as number) < 1)
      throw new InputError(\`${pascal}: expected \${name} as a whole number of at least 1, got \${String(value)}\`);
    return value as number;
  };
  return { numFeatures: size("num_features"), hiddenDim: size("hidden_size"), numClasses: size("num_labels") };
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

const CONFIG = { num_features: 4, hidden_size: 8, num_labels: 3 };

describeEachDevice("${pascal}", () => {
  it("is in the registry and gives a score a class", async () => {
    const { ${pascal}, read${pascal}Config } = await models.${camel}.load();
    const model = new ${pascal}(read${pascal}Config(CONFIG));
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
    const { ${pascal}, read${pascal}Config } = await models.${camel}.load();
    const model = new ${pascal}(read${pascal}Config(CONFIG));
    const x = zeros([2, 5]);
    expect(() => model.call(x)).toThrow(ShapeError);
    expect(() => read${pascal}Config({ ...CONFIG, num_labels: 0 })).toThrow(/num_labels/);
    x.dispose();
    model.dispose();
  });
});
`,
    },
    edits: {
      [`packages/${packageName}/src/models/registry.ts`]: (
        text = emptyRegistry(namesOf(packageName).pascal),
      ) => addToRegistry(text, names, packageName),
    },
    next: [
      "put the real layers in, names as in the checkpoint",
      "say in models/registry.ts which tasks it serves and how its inputs are made ready",
      "store a PyTorch result and compare with it: docs/contributing/add-a-model.md",
    ],
  };
}
