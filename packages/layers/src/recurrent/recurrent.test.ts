import {
  add,
  dispose,
  full,
  grad,
  InputError,
  KernelError,
  narrow,
  ones,
  read,
  ShapeError,
  sum,
  type Tensor,
  tensor,
  zeros,
} from "@ai/tensor";
import { describeEachDevice, expectNoLeak } from "@ai/tensor/testing";
import { describe, expect, it } from "vitest";
import { GRU, GRUCell, LSTM, LSTMCell, type RecurrentCallOptions, RNN, RNNCell } from "../index.js";
import { expectLikeTorch, type LayerCase, loadLayerFixture } from "../testing/layer-cases.js";

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
  gru: GRU | RNN,
  [x, hidden]: Tensor[],
  lengths?: RecurrentCallOptions<unknown>["lengths"],
): Tensor[] {
  const { output, state } = gru.call(x, { lengths, state: hidden });
  return [output, state];
}

const DEEP = { numLayers: 2, bidirectional: true };

const RELU = { nonlinearity: "relu" } as const;

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
  { name: "rnn_tanh", build: () => new RNN(4, 3, DEEP), call: (rnn: RNN, inputs) => callGRU(rnn, inputs) },
  {
    name: "rnn_tanh_lengths",
    build: () => new RNN(4, 3, DEEP),
    call: (rnn: RNN, inputs) => callGRU(rnn, inputs, LENGTHS),
  },
  {
    name: "rnn_relu",
    build: () => new RNN(4, 3, { ...DEEP, ...RELU }),
    call: (rnn: RNN, inputs) => callGRU(rnn, inputs),
  },
  {
    name: "rnn_relu_lengths",
    build: () => new RNN(4, 3, { ...DEEP, ...RELU }),
    call: (rnn: RNN, inputs) => callGRU(rnn, inputs, LENGTHS),
  },
  {
    name: "rnn_no_bias",
    build: () => new RNN(4, 3, { bias: false }),
    call: (rnn: RNN, inputs) => callGRU(rnn, inputs),
  },
  {
    name: "lstm_projected",
    build: () => new LSTM(4, 3, { ...DEEP, projSize: 2 }),
    call: (lstm: LSTM, inputs) => callLSTM(lstm, inputs),
  },
  {
    name: "lstm_projected_lengths",
    build: () => new LSTM(4, 3, { ...DEEP, projSize: 2 }),
    call: (lstm: LSTM, inputs) => callLSTM(lstm, inputs, LENGTHS),
  },
  { name: "rnn_cell", build: () => new RNNCell(4, 3) },
  { name: "rnn_cell_relu", build: () => new RNNCell(4, 3, { ...RELU, bias: false }) },
  {
    name: "lstm_cell",
    build: () => new LSTMCell(4, 3),
    call: (cell: LSTMCell, [x, hidden, memory]) => {
      const next = cell.call(x, { hidden, cell: memory });
      return [next.hidden, next.cell];
    },
  },
  {
    name: "lstm_cell_first",
    build: () => new LSTMCell(4, 3, { bias: false }),
    call: (cell: LSTMCell, [x]) => {
      const next = cell.call(x);
      return [next.hidden, next.cell];
    },
  },
  { name: "gru_cell", build: () => new GRUCell(4, 3) },
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
    const gru = new GRU(1, 2, { bidirectional: true, numLayers: 2 });
    const gradientOf = (padding: number): Tensor => {
      const x = tensor([1, 2, padding, padding], [1, 4, 1]);
      const [gradient] = grad(() => sum(add(gru.call(x, { lengths: [2] }).output, 0)), [x]);
      x.dispose();
      return gradient;
    };
    const [zero, large] = [gradientOf(0), gradientOf(Number.NaN)];
    await expect(large).toBeCloseToTensor(zero);
    for (const owner of [zero, large, gru]) owner.dispose();
  });

  it("gives sequences of no step 0 and their first state", async () => {
    const lstm = new LSTM(2, 3, { bidirectional: true });
    const x = ones([2, 3, 2]);
    const state = { hidden: full([2, 2, 3], 0.5), cell: full([2, 2, 3], -2) };
    for (const lengths of [[0, 3], tensor(Int32Array.of(0, 3))]) {
      const given = lstm.call(x, { lengths, state });
      const alone = lstm.call(x, { state });
      const rows = (t: Tensor, axis: number, start: number) => narrow(t, { axis, start, length: 1 });
      const pairs: [Tensor, Tensor][] = [
        [rows(given.output, 0, 0), zeros([1, 3, 6])],
        [rows(given.state.cell, 1, 0), full([2, 1, 3], -2)],
        [rows(given.state.hidden, 1, 0), full([2, 1, 3], 0.5)],
        [rows(given.output, 0, 1), rows(alone.output, 0, 1)],
        [rows(given.state.cell, 1, 1), rows(alone.state.cell, 1, 1)],
      ];
      for (const [actual, expected] of pairs) await expect(actual).toBeCloseToTensor(expected);
      dispose([...pairs.flat(), given.output, alone.output]);
      for (const result of [given, alone]) dispose([result.state.hidden, result.state.cell]);
      if (!Array.isArray(lengths)) (lengths as Tensor).dispose();
    }
    for (const owner of [x, state.hidden, state.cell, lstm]) owner.dispose();
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

  it("refuses lengths in a tensor that are beyond the sequence", async () => {
    const gru = new GRU(2, 3);
    const [x, lengths] = [zeros([2, 4, 2]), tensor(Int32Array.of(1, 9))];
    await expect((async () => read(gru.call(x, { lengths }).output))()).rejects.toThrow(KernelError);
    for (const owner of [x, lengths, gru]) owner.dispose();
  });

  it("refuses what does not fit", () => {
    const gru = new GRU(2, 3);
    const x = zeros([2, 4, 2]);
    const empty = zeros([2, 0, 2]);
    const state = zeros([1, 3, 3]);
    const wide = zeros([2, 2]);
    const lengths = tensor(Int32Array.of(1, 2, 3));
    expect(() => gru.call(state)).toThrow(ShapeError);
    expect(() => gru.call(empty)).toThrow(/^GRU: expected sequences of at least one step/);
    expect(() => gru.call(x, { state })).toThrow(ShapeError);
    expect(() => gru.call(x, { lengths: [4] })).toThrow(ShapeError);
    expect(() => gru.call(x, { lengths })).toThrow(ShapeError);
    expect(() => gru.call(x, { lengths: [4, 5] })).toThrow(InputError);
    const cell = new RNNCell(2, 3);
    expect(() => cell.call(x)).toThrow(/^RNNCell: expected an input \[batch, 2\]/);
    expect(() => cell.call(wide, wide)).toThrow(/^RNNCell: expected a state \[2, 3\], got \[2, 2\]/);
    for (const owner of [x, empty, state, lengths, wide, gru, cell]) owner.dispose();
  });
});

describe("recurrent layers", () => {
  it("refuse options that would be ignored or out of range", () => {
    expect(() => new LSTM(2, 3, { dropout: 0.5 })).toThrow(InputError);
    expect(() => new LSTM(2, 3, { dropout: 1.5, numLayers: 2 })).toThrow(InputError);
    expect(() => new GRU(0, 3)).toThrow(InputError);
    expect(() => new GRU(2, 3, { projSize: 2 } as object)).toThrow(/^GRU: .*got one named projSize/);
    expect(() => new LSTM(2, 3, { projSize: 3 })).toThrow(
      /^LSTM: expected projSize below hiddenSize 3, got 3/,
    );
    expect(() => new LSTM(2, 3, { batchFirst: true } as object)).toThrow(/got one named batchFirst/);
    expect(() => new RNN(2, 3, { nonlinearity: "elu" as "relu" })).toThrow(/^RNN: expected nonlinearity/);
    expect(() => new LSTMCell(2, 0)).toThrow(InputError);
    expect(() => new GRUCell(2, 3, { nonlinearity: "tanh" } as object)).toThrow(/got one named nonlinearity/);
  });
});
