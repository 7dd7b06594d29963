/** A kernel: its page, its reference by plain ops, its test. The formula is softsign until the author puts another. */
export function kernelFiles({ kebab, pascal, camel }) {
  const folder = `packages/tensor/src/kernels/${kebab}`;
  return {
    files: {
      [`${folder}/${kebab}.ts`]: `import type { Tensor } from "@tensorflow/tfjs-core";
import { DTypeError } from "../../errors.js";
import { defineKernel } from "../define-kernel.js";
import { ${camel}Reference } from "./${kebab}.reference.js";

export type ${pascal}Inputs = { x: Tensor };

/** Without a gradient of its own it is differentiated through its reference. */
const ${camel}Kernel = /* @__PURE__ */ defineKernel<${pascal}Inputs>({ name: "${pascal}", reference: ${camel}Reference });

/**
 * \`x / (1 + |x|)\`.
 * @param x \`[...]\` @returns \`[...]\`
 * @throws DTypeError when \`x\` is not float32.
 */
export function ${camel}(x: Tensor): Tensor {
  if (x.dtype !== "float32") throw new DTypeError(\`${camel}: expected float32, got \${x.dtype}; cast it first\`);
  return ${camel}Kernel({ x }, {});
}
`,
      [`${folder}/${kebab}.reference.ts`]: `import type { Tensor } from "@tensorflow/tfjs-core";
import { add, div } from "../../ops/arithmetic.js";
import { abs } from "../../ops/unary.js";
import type { ${pascal}Inputs } from "./${kebab}.js";

/** By plain ops: the oracle in tests and the fallback on every device. @param x \`[...]\` @returns \`[...]\` */
export function ${camel}Reference({ x }: ${pascal}Inputs): Tensor {
  return div(x, add(abs(x), 1));
}
`,
      [`${folder}/${kebab}.test.ts`]: `import { expect, it } from "vitest";
import { DTypeError, gradcheck, tensor } from "../../index.js";
import { describeEachDevice, expectNoLeak } from "../../testing/index.js";
import { ${camel} } from "./${kebab}.js";

describeEachDevice("${camel}", () => {
  it("computes the formula and frees everything else", async () => {
    const x = tensor([[-3, 0], [1, Number.NaN]]);
    await expectNoLeak(async () => {
      const y = ${camel}(x);
      await expect(y).toBeCloseToTensor({ shape: [2, 2], dtype: "float32", values: [-0.75, 0, 0.5, Number.NaN] });
      y.dispose();
    });
    x.dispose();
  });

  it("takes a tensor of size 0", async () => {
    const x = tensor([]);
    const y = ${camel}(x);
    expect(y.shape).toEqual([0]);
    x.dispose();
    y.dispose();
  });

  it("has the gradient of finite differences", async () => {
    const x = tensor([-2, -0.5, 0.7, 3]);
    await gradcheck(${camel}, [x]);
    x.dispose();
  });

  it("refuses integers", () => {
    const x = tensor([1, 2], [2], "int32");
    expect(() => ${camel}(x)).toThrow(DTypeError);
    x.dispose();
  });
});
`,
    },
    exports: { "packages/tensor/src/index.ts": `export { ${camel} } from "./kernels/${kebab}/${kebab}.js";` },
    next: [
      `put your formula into ${kebab}.reference.ts and the docstring, your numbers (from PyTorch) into the test`,
      "add implementations by device: docs/contributing/add-a-kernel.md",
    ],
  };
}
