import { expect, it } from "vitest";
import { gruCell, zeros } from "../../index.js";
import {
  describeEachDevice,
  describeKernel,
  expectFixtureCase,
  expectNoLeak,
  loadFixture,
  randomHostTensor,
} from "../../testing/index.js";
import { gruCellKernel } from "./gru-cell.js";

const fixture = await loadFixture(new URL("../../../fixtures/kernels.safetensors", import.meta.url));

describeEachDevice("gruCell", () => {
  it("equals torch.gru_cell, second derivatives included", async () => {
    await expectFixtureCase(fixture, "gruCell", ([inputGates, hiddenGates, hidden]) =>
      gruCell(inputGates, hiddenGates, hidden),
    );
  });

  it("leaks nothing and refuses what does not fit", async () => {
    const gates = zeros([2, 9]);
    const hidden = zeros([2, 3]);
    await expectNoLeak(() => gruCell(gates, gates, hidden).dispose());
    expect(() => gruCell(gates, hidden, hidden)).toThrow(/gruCell: expected gates \[batch, 3·hidden\] twice/);
    for (const t of [gates, hidden]) t.dispose();
  });
});

const inputs = (batch: number, size: number, contains: number[] = []) => ({
  inputGates: randomHostTensor([batch, 3 * size], { scale: 2, contains }),
  hiddenGates: randomHostTensor([batch, 3 * size], { scale: 2, stream: "hidden gates" }),
  hidden: randomHostTensor([batch, size], { stream: "hidden" }),
});

describeKernel(gruCellKernel, {
  "no batch": { inputs: inputs(0, 3), attrs: {} },
  "one cell": { inputs: inputs(1, 1), attrs: {} },
  "odd sizes, NaN and gates far out": { inputs: inputs(3, 67, [Number.NaN, 100, -100]), attrs: {} },
});
