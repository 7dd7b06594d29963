import { add, grad, InputError, ShapeError, sum, type Tensor, tensor, zeros } from "@ai/tensor";
import { describeEachDevice, expectNoLeak } from "@ai/tensor/testing";
import { describe, expect, it } from "vitest";
import { GRU, LSTM, type RecurrentCallOptions } from "./index.js";
import { expectLikeTorch, type LayerCase, loadLayerFixture } from "./testing/layer-cases.js";

const LENGTHS = [3, 5, 1];

function callLSTM(
  lstm: LSTM,
  [x, hidden, cell]: Tensor[],
  lengths?: RecurrentCallOptions<unknown>["lengths"],
): Tensor[] {
  const { output, state } = lstm.call(x, { lengths, state: hidden && { hidden, cell } });
  return [output, state.hidden, state.cell];
}

function callGRU(
  gru: GRU,
  [x, hidden]: Tensor[],
  lengths?: RecurrentCallOptions<unknown>["lengths"],
): Tensor[] {
  const { output, state } = gru.call(x, { lengths, state: hidden });
  return [output, state];
}

const DEEP = { numLayers: 2, bidirectional: true };

/** Attributes as in tooling/fixtures/layers/recurrent.py. */
const CASES: readonly LayerCase[] = [
  { name: "lstm", build: () => new LSTM(4, 3), call: (lstm: LSTM, inputs) => callLSTM(lstm, inputs) },
  {
    name: "lstm_no_bias",
    build: () => new LSTM(4, 3, { bias: false }),
    call: (lstm: LSTM, inputs) => callLSTM(lstm, inputs),
  },
  {
    name: "lstm_deep",
    build: () => new LSTM(4, 3, DEEP),
    call: (lstm: LSTM, inputs) => callLSTM(lstm, inputs),
  },
  {
    name: "lstm_lengths",
    build: () => new LSTM(4, 3, DEEP),
    call: (lstm: LSTM, inputs) => callLSTM(lstm, inputs, LENGTHS),
  },
  { name: "gru", build: () => new GRU(4, 3), call: (gru: GRU, inputs) => callGRU(gru, inputs) },
  {
    name: "gru_no_bias",
    build: () => new GRU(4, 3, { bias: false }),
    call: (gru: GRU, inputs) => callGRU(gru, inputs),
  },
  { name: "gru_deep", build: () => new GRU(4, 3, DEEP), call: (gru: GRU, inputs) => callGRU(gru, inputs) },
  {
    name: "gru_lengths",
    build: () => new GRU(4, 3, DEEP),
    call: (gru: GRU, inputs) => {
      const lengths = tensor(Int32Array.from(LENGTHS));
      return callGRU(gru, inputs, lengths);
    },
  },
];

describeEachDevice("recurrent layers equal PyTorch's, forward and backward", () => {
  for (const layerCase of CASES)
    it(layerCase.name, async () => {
      await expectLikeTorch(await loadLayerFixture("recurrent"), layerCase);
    });

  it("goes on from a state as if the sequence had not been cut", async () => {
    const lstm = new LSTM(2, 3);
    const whole = tensor([
      [
        [1, 2],
        [3, -4],
        [0.5, 6],
      ],
    ]);
    const [start, rest] = [
      tensor([
        [
          [1, 2],
          [3, -4],
        ],
      ]),
      tensor([[[0.5, 6]]]),
    ];
    const once = lstm.call(whole);
    const first = lstm.call(start);
    const second = lstm.call(rest, { state: first.state });
    await expect(second.state.cell).toBeCloseToTensor(once.state.cell);
    for (const { output, state } of [once, first, second])
      for (const owner of [output, state.hidden, state.cell]) owner.dispose();
    for (const owner of [whole, start, rest, lstm]) owner.dispose();
  });

  it("lets no number of the padding into output, state or gradient", async () => {
    const gru = new GRU(1, 2, { bidirectional: true });
    const gradientOf = (padding: number): Tensor => {
      const x = tensor([1, 2, padding, padding], [1, 4, 1]);
      const [gradient] = grad(() => sum(add(gru.call(x, { lengths: [2] }).output, 0)), [x]);
      x.dispose();
      return gradient;
    };
    const [zero, large] = [gradientOf(0), gradientOf(50)];
    await expect(large).toBeCloseToTensor(zero);
    for (const owner of [zero, large, gru]) owner.dispose();
  });

  it("does not leak", async () => {
    const lstm = new LSTM(2, 3, { numLayers: 2, dropout: 0.5 });
    await expectNoLeak(() => {
      const x = zeros([2, 4, 2]);
      const { output, state } = lstm.call(x, { lengths: [4, 2] });
      for (const owner of [x, output, state.hidden, state.cell]) owner.dispose();
    });
    lstm.dispose();
  });

  it("refuses what does not fit", () => {
    const gru = new GRU(2, 3);
    const x = zeros([2, 4, 2]);
    const empty = zeros([2, 0, 2]);
    const state = zeros([1, 3, 3]);
    const lengths = tensor(Int32Array.of(1, 2, 3));
    expect(() => gru.call(state)).toThrow(ShapeError);
    expect(() => gru.call(empty)).toThrow(/^GRU: expected sequences of at least one step/);
    expect(() => gru.call(x, { state })).toThrow(ShapeError);
    expect(() => gru.call(x, { lengths: [4] })).toThrow(ShapeError);
    expect(() => gru.call(x, { lengths })).toThrow(ShapeError);
    expect(() => gru.call(x, { lengths: [4, 5] })).toThrow(InputError);
    for (const owner of [x, empty, state, lengths, gru]) owner.dispose();
  });
});

describe("recurrent layers", () => {
  it("refuse options that would be ignored or out of range", () => {
    expect(() => new LSTM(2, 3, { dropout: 0.5 })).toThrow(InputError);
    expect(() => new LSTM(2, 3, { dropout: 1.5, numLayers: 2 })).toThrow(InputError);
    expect(() => new GRU(0, 3)).toThrow(InputError);
  });
});
