import { expect, it } from "vitest";
import { lstmCell, zeros } from "../../index.js";
import {
  describeEachDevice,
  describeKernel,
  expectFixtureCase,
  expectNoLeak,
  loadFixture,
  randomHostTensor,
} from "../../testing/index.js";
import { lstmCellKernel } from "./lstm-cell.js";

const fixture = await loadFixture(new URL("../../../fixtures/kernels.safetensors", import.meta.url));

describeEachDevice("lstmCell", () => {
  it("equals torch.lstm_cell, second derivatives included", async () => {
    await expectFixtureCase(fixture, "lstmCell", ([gates, cell]) => {
      const next = lstmCell(gates, cell);
      return [next.hidden, next.cell];
    });
  });

  it("leaks nothing and refuses what does not fit", async () => {
    const gates = zeros([2, 12]);
    const cell = zeros([2, 3]);
    const narrow = zeros([2, 4]);
    await expectNoLeak(() => {
      const next = lstmCell(gates, cell);
      next.hidden.dispose();
      next.cell.dispose();
    });
    expect(() => lstmCell(gates, narrow)).toThrow(/lstmCell: expected gates \[batch, 4·hidden\]/);
    for (const t of [gates, cell, narrow]) t.dispose();
  });
});

const inputs = (batch: number, hidden: number, contains: number[] = []) => ({
  gates: randomHostTensor([batch, 4 * hidden], { scale: 2, contains }),
  cell: randomHostTensor([batch, hidden], { stream: "cell" }),
});

describeKernel(lstmCellKernel, {
  "no batch": { inputs: inputs(0, 3), attrs: {} },
  "one cell": { inputs: inputs(1, 1), attrs: {} },
  "odd sizes, NaN and gates far out": { inputs: inputs(3, 67, [Number.NaN, 100, -100]), attrs: {} },
});
