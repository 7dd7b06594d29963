const SUBJECTS = "const SUBJECTS: Readonly<Record<string, Subject>> = {\n";

/** Adds the layer to the run that every layer has to pass. */
function withSubject(pascal) {
  return (text) => {
    if (!text.includes(SUBJECTS))
      throw new Error(
        `new: conformance.test.ts has no line ${SUBJECTS.trim()}; change it and this template together`,
      );
    const subject = `  ${pascal}: { build: () => new layers.${pascal}(3), ...any, refuses: () => [zeros([2, 2])] },\n`;
    return text.replace(SUBJECTS, SUBJECTS + subject);
  };
}

const WITHOUT_OPTIONS = "const WITHOUT_OPTIONS: readonly string[] = [\n";

/** Adds the layer to those whose constructor has no options. */
function withoutOptions(pascal) {
  return (text) => {
    if (!text.includes(WITHOUT_OPTIONS))
      throw new Error(
        `new: option-names.test.ts has no line ${WITHOUT_OPTIONS.trim()}; change it and this template together`,
      );
    return text.replace(WITHOUT_OPTIONS, `${WITHOUT_OPTIONS}  "${pascal}",\n`);
  };
}

/** A layer with two parameters and its test. It scales and shifts until the author puts another formula. */
export function layerFiles({ kebab, pascal }) {
  return {
    files: {
      [`packages/layers/src/${kebab}.ts`]: `import { add, mul, type Tensor } from "@ai/tensor";
import { assertIntegers } from "./checks.js";
import { constant } from "./initializers.js";
import { Module } from "./module.js";
import { Parameter } from "./parameter.js";

/**
 * \`x · weight + bias\`, one weight and one bias a feature.
 * @example
 * const y = new ${pascal}(64).call(x);
 */
export class ${pascal} extends Module<[x: Tensor], Tensor> {
  readonly weight: Parameter;
  readonly bias: Parameter;

  /** @throws InputError for a number of features below 1. */
  constructor(numFeatures: number) {
    super();
    assertIntegers("${pascal}", { numFeatures });
    this.weight = new Parameter([numFeatures], { initializer: constant(1) });
    this.bias = new Parameter([numFeatures], { initializer: constant(0) });
  }

  /** @param x \`[..., numFeatures]\` @returns \`[..., numFeatures]\` */
  protected forward(x: Tensor): Tensor {
    return add(mul(x, this.weight.value), this.bias.value);
  }
}
`,
      [`packages/layers/src/${kebab}.test.ts`]: `import { gradcheck, InputError, ShapeError, tensor } from "@ai/tensor";
import { describeEachDevice, expectNoLeak } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import { ${pascal} } from "./${kebab}.js";

const state = () =>
  new Map([
    ["weight", { dtype: "float32" as const, shape: [2], values: Float32Array.of(2, -1) }],
    ["bias", { dtype: "float32" as const, shape: [2], values: Float32Array.of(10, 20) }],
  ]);

describeEachDevice("${pascal}", () => {
  it("computes the formula with loaded weights and frees everything else", async () => {
    const layer = new ${pascal}(2);
    layer.loadStateDict(state());
    const x = tensor([[1, 2], [3, 4]]);
    await expectNoLeak(async () => {
      const y = layer.call(x);
      await expect(y).toBeCloseToTensor({ shape: [2, 2], dtype: "float32", values: [12, 18, 16, 16] });
      y.dispose();
    });
    x.dispose();
    layer.dispose();
  });

  it("has the gradient of finite differences", async () => {
    const layer = new ${pascal}(2);
    const x = tensor([[1, 2], [3, 4]]);
    await gradcheck((input) => layer.call(input), [x]);
    x.dispose();
    layer.dispose();
  });

  it("refuses no features and an input of another size", () => {
    expect(() => new ${pascal}(0)).toThrow(InputError);
    const layer = new ${pascal}(2);
    const x = tensor([1, 2, 3]);
    expect(() => layer.call(x)).toThrow(ShapeError);
    x.dispose();
    layer.dispose();
  });
});
`,
    },
    exports: { "packages/layers/src/index.ts": `export { ${pascal} } from "./${kebab}.js";` },
    edits: {
      "packages/layers/src/conformance.test.ts": withSubject(pascal),
      "packages/layers/src/option-names.test.ts": withoutOptions(pascal),
    },
    next: [
      "put your formula into forward and the docstring",
      "replace the numbers of the test by a stored PyTorch result: docs/contributing/add-a-layer.md, docs/contributing/fixtures.md",
    ],
  };
}
