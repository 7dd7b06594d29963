import { expect, it } from "vitest";
import { dispose, InputError, selectiveScan, type Tensor, zeros } from "../../index.js";
import {
  describeEachDevice,
  describeKernel,
  expectFixtureCase,
  expectNoLeak,
  loadFixture,
  randomHostTensor,
} from "../../testing/index.js";
import { selectiveScanKernel } from "./selective-scan.js";

const fixture = await loadFixture(new URL("../../../fixtures/selective-scan.safetensors", import.meta.url));

const inputs = (batch: number, length: number, channels: number, state: number, contains: number[] = []) => ({
  x: randomHostTensor([batch, length, channels], { contains }),
  step: randomHostTensor([batch, length, channels], { stream: "step", scale: 0.3 }),
  a: randomHostTensor([channels, state], { stream: "a" }),
  b: randomHostTensor([batch, length, state], { stream: "b" }),
  c: randomHostTensor([batch, length, state], { stream: "c" }),
  d: randomHostTensor([channels], { stream: "d" }),
});

// the states behind each chunk are outputs here, with gradients of their own
describeKernel(selectiveScanKernel, {
  "no steps": { inputs: inputs(1, 0, 3, 2), attrs: {} },
  "no batch": { inputs: inputs(0, 2, 3, 2), attrs: {}, gradient: false },
  "one step": { inputs: inputs(2, 1, 3, 1), attrs: {} },
  "whole chunks": { inputs: inputs(1, 32, 4, 2), attrs: {}, tolerance: { relative: 5e-5 } },
  "odd sizes, NaN": { inputs: inputs(2, 18, 37, 3, [Number.NaN]), attrs: {} },
});

describeEachDevice("selectiveScan", () => {
  for (const name of ["short", "withoutSkip", "long"])
    it(`equals a loop in PyTorch: ${name}`, async () => {
      await expectFixtureCase(fixture, `selectiveScan/${name}`, ([x, step, a, b, c, d]) =>
        selectiveScan(x, step, { a, b, c, d }),
      );
    });

  it("leaks nothing and refuses what does not fit", async () => {
    const x = zeros([2, 3, 4]);
    const a = zeros([4, 5]);
    const b = zeros([2, 3, 5]);
    const d = zeros([4]);
    const integers = zeros([4, 5], "int32");
    await expectNoLeak(() => dispose(selectiveScan(x, x, { a, b, c: b, d })));
    expect(() => selectiveScan(x, x, { a, b, c: x })).toThrow(/selectiveScan: expected x and step/);
    expect(() => selectiveScan(x, b, { a, b, c: b })).toThrow(/a \[channels, state\]/);
    expect(() => selectiveScan(x, x, { a, b, c: b, d: b })).toThrow(/d \[channels\]/);
    expect(() => selectiveScan(x, x, { a: integers, b, c: b })).toThrow(/float32 for a/);
    expect(() => selectiveScan(x, x, { a, b, c: b, skip: d } as { a: Tensor; b: Tensor; c: Tensor })).toThrow(
      InputError,
    );
    dispose([x, a, b, d, integers]);
  });
});
