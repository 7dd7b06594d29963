import {
  dispose,
  exp,
  grad,
  keep,
  logSoftmax,
  mean,
  narrow,
  RandomGenerator,
  randomNormal,
  read,
  scaledDotProductAttention,
  square,
  sub,
  sum,
  type Tensor,
  tensor,
  tile,
  valueAndGrad,
} from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import { GRU, LSTM, MultiheadAttention, TransformerEncoderLayer } from "./index.js";
import { CTCLoss } from "./training/losses/index.js";

/** Cases of PyTorch's tracker (github.com/pytorch/pytorch/issues/NUMBER) in which it was wrong, or is. */

const normal = (shape: number[], seed: number): Tensor =>
  randomNormal(shape, { generator: new RandomGenerator(seed) });

async function expectFinite(tensors: readonly Tensor[]): Promise<void> {
  for (const each of tensors) expect((await read(each)).every(Number.isFinite)).toBe(true);
}

describeEachDevice("PyTorch's tracker, CTC", () => {
  it("#18215: an empty target beside a full one has the gradient of its blanks", async () => {
    const logits = normal([2, 2, 3], 1);
    const targets = tensor(Int32Array.of(1, 2, 0, 0), [2, 2]);
    const loss = new CTCLoss({ reduction: "sum", zeroInfinity: true });
    const lengths = { inputLengths: [2, 2], targetLengths: [2, 0] };
    const [gradient] = grad((x) => loss.call(logSoftmax(x), targets, lengths), [logits]);
    const probabilities = exp(logSoftmax(logits));
    const [got, shares] = await Promise.all([read(gradient), read(probabilities)]);
    // −Σ ln p(blank) of the second item: p less 1 at the blank
    for (let index = 6; index < 12; index++)
      expect(got[index]).toBeCloseTo(shares[index] - (index % 3 === 0 ? 1 : 0), 5);
    // two labels in two steps: one path, label 1 then label 2
    for (let index = 0; index < 6; index++)
      expect(got[index]).toBeCloseTo(shares[index] - (index === 1 || index === 5 ? 1 : 0), 5);
    dispose([logits, targets, gradient, probabilities]);
  });

  it("#14401: items of different lengths have the gradients that they have alone, and none at padded steps", async () => {
    const logits = normal([2, 4, 5], 2);
    const targets = tensor(Int32Array.of(1, 2, 2, 0), [2, 2]);
    const loss = new CTCLoss({ reduction: "sum" });
    const lengths = { inputLengths: [4, 2], targetLengths: [2, 1] };
    const [together] = grad((x) => loss.call(logSoftmax(x), targets, lengths), [logits]);
    for (const [item, steps] of lengths.inputLengths.entries()) {
      const x = narrow(narrow(logits, { axis: 0, start: item, length: 1 }), {
        axis: 1,
        start: 0,
        length: steps,
      });
      const target = narrow(narrow(targets, { axis: 0, start: item, length: 1 }), {
        axis: 1,
        start: 0,
        length: lengths.targetLengths[item],
      });
      const [alone] = grad((given) => loss.call(logSoftmax(given), target), [x]);
      const part = narrow(narrow(together, { axis: 0, start: item, length: 1 }), {
        axis: 1,
        start: 0,
        length: steps,
      });
      await expect(part).toBeCloseToTensor(alone);
      dispose([x, target, alone, part]);
    }
    const values = await read(together);
    expect([...values.slice(20 + 2 * 5)].every((value) => value === 0)).toBe(true);
    dispose([logits, targets, together]);
  });

  it("#31557: targets as a matrix of int32 give the same every time, an alignment that is a distribution", async () => {
    const logits = normal([4, 16, 12], 3);
    const targets = tensor(
      Int32Array.from({ length: 16 }, (_, index) => 1 + ((index * 5) % 11)),
      [4, 4],
    );
    const loss = new CTCLoss({ reduction: "none" });
    const lengths = { inputLengths: [16, 16, 16, 16], targetLengths: [4, 4, 4, 4] };
    const runs = Array.from({ length: 3 }, () =>
      grad((x) => sum(loss.call(logSoftmax(x), targets, lengths)), [logits]),
    ).flat();
    const alignment = sub(exp(logSoftmax(logits)), runs[0]); // [4, 16, 12]
    const shares = await read(alignment);
    for (let step = 0; step < 64; step++) {
      const row = shares.subarray(12 * step, 12 * step + 12) as Float32Array;
      expect(row.reduce((total, share) => total + share)).toBeCloseTo(1, 4);
      expect(Math.min(...row)).toBeGreaterThan(-1e-5);
    }
    for (const again of runs.slice(1))
      await expect(again).toBeCloseToTensor(runs[0], { relative: 0, absoluteScale: 0 });
    dispose([logits, targets, alignment, ...runs]);
  });
});

describeEachDevice("PyTorch's tracker, attention masks", () => {
  it("#41508: an attention mask and padding that together hide all keys of a query give no NaN, forward or backward", async () => {
    // every query sees itself and the one before: the last, padded one of the second item sees nothing
    const attention = new MultiheadAttention(4, 2);
    const x = normal([2, 3, 4], 4);
    const attentionMask = tensor([
      [false, true, true],
      [false, false, true],
      [true, true, false],
    ]);
    const keyPaddingMask = tensor([
      [false, false, false],
      [false, false, true],
    ]);
    const parameters = attention.parameters().map(({ value }) => value);
    for (const weights of ["none", "average"] as const) {
      const outputs: Tensor[] = [];
      const { value, grads } = valueAndGrad(
        (given) => {
          const { output, weights: shares } = attention.call(given, given, given, {
            attentionMask,
            keyPaddingMask,
            weights,
          });
          outputs.push(keep(output), ...(shares === undefined ? [] : [keep(shares)]));
          return mean(square(narrow(output, { axis: 1, start: 0, length: 2 })));
        },
        [x, ...parameters],
      );
      await expectFinite([value, ...grads, ...outputs]);
      dispose([value, ...grads, ...outputs]);
    }
    dispose([x, attentionMask, keyPaddingMask]);
    attention.dispose();
  });

  it("#101967: NaN and infinity in keys and values that a mask hides change nothing, forward or backward", async () => {
    const ramp = Float32Array.from({ length: 8 }, (_, index) => index);
    const [query, key, value] = [0, 1, 2].map(() => tensor(ramp, [1, 1, 2, 4]));
    // the second key is hidden from both queries
    const mask = tensor([
      [true, false],
      [true, false],
    ]);
    const run = (...inputs: Tensor[]) =>
      valueAndGrad(
        (q, k, v) => sum(square(scaledDotProductAttention(q, k, v, { mask }))),
        [query, ...inputs],
      );
    const expected = run(key, value);
    for (const filler of [1e10, Number.POSITIVE_INFINITY, Number.NaN]) {
      const spoilt = tensor(
        ramp.map((value, index) => (index === 4 ? filler : value)),
        [1, 1, 2, 4],
      );
      for (const inputs of [
        [spoilt, value],
        [key, spoilt],
      ]) {
        const { value: loss, grads } = run(...inputs);
        await expect(loss).toBeCloseToTensor(expected.value);
        for (const [index, gradient] of grads.entries())
          await expect(gradient).toBeCloseToTensor(expected.grads[index]);
        dispose([loss, ...grads]);
      }
      dispose(spoilt);
    }
    dispose([query, key, value, mask, expected.value, ...expected.grads]);
  });

  it("#24816, #64525: an item of padding alone, and what stands in the padding, change no other item", async () => {
    const layer = new TransformerEncoderLayer(4, 2, { dimFeedforward: 6, dropout: 0 });
    const x = normal([2, 3, 4], 5);
    const keyPaddingMask = tensor([
      [false, false, true],
      [true, true, true],
    ]);
    const values = (await read(x)) as Float32Array;
    const other = tensor(
      values.map((value, index) => (index >= 8 ? 1e10 : value)),
      [2, 3, 4],
    );
    const outputs = [x, other].map((given) => layer.call(given, { keyPaddingMask }));
    await expectFinite(outputs);
    const kept = outputs.map((output) =>
      narrow(narrow(output, { axis: 0, start: 0, length: 1 }), { axis: 1, start: 0, length: 2 }),
    );
    await expect(kept[1]).toBeCloseToTensor(kept[0]);
    dispose([x, other, keyPaddingMask, ...outputs, ...kept]);
    layer.dispose();
  });

  it("#86120, #97111: evaluating treats padding as training does and keeps every column", async () => {
    const layer = new TransformerEncoderLayer(4, 2, { dimFeedforward: 6, dropout: 0 });
    const x = normal([2, 3, 4], 6);
    const keyPaddingMask = tensor([
      [false, true, true],
      [false, false, true],
    ]);
    const outputs = [true, false].map((training) => {
      layer.train(training);
      return layer.call(x, { keyPaddingMask });
    });
    expect(outputs[1].shape).toEqual([2, 3, 4]);
    await expect(outputs[1]).toBeCloseToTensor(outputs[0]);
    dispose([x, keyPaddingMask, ...outputs]);
    layer.dispose();
  });
});

describeEachDevice("PyTorch's tracker, packed sequences", () => {
  it("#3662, #36448: lengths in any order give each sequence what it has alone", async () => {
    const lstm = new LSTM(3, 2, { numLayers: 2, bidirectional: true });
    const x = normal([3, 4, 3], 7);
    const lengths = [2, 4, 3];
    const { output, state } = lstm.call(x, { lengths });
    for (const [item, steps] of lengths.entries()) {
      const row = (whole: Tensor, axis: number): Tensor => narrow(whole, { axis, start: item, length: 1 });
      const own = row(x, 0);
      const part = narrow(own, { axis: 1, start: 0, length: steps });
      const alone = lstm.call(part);
      const mine = row(output, 0);
      const pairs: [Tensor, Tensor][] = [
        [narrow(mine, { axis: 1, start: 0, length: steps }), alone.output],
        [row(state.hidden, 1), alone.state.hidden],
        [row(state.cell, 1), alone.state.cell],
      ];
      for (const [actual, expected] of pairs) await expect(actual).toBeCloseToTensor(expected);
      dispose([own, part, mine, ...pairs.flat()]);
    }
    dispose([x, output, state.hidden, state.cell]);
    lstm.dispose();
  });

  it("#4582, #11514: a sequence of length 0 is allowed beside others, and takes no gradient", async () => {
    const gru = new GRU(2, 3, { bidirectional: true });
    const x = normal([2, 3, 2], 8);
    const { value, grads } = valueAndGrad(
      (given) => sum(square(gru.call(given, { lengths: [0, 2] }).output)),
      [x],
    );
    const gradient = await read(grads[0]);
    expect([...gradient.slice(0, 6)].every((each) => each === 0)).toBe(true);
    expect([...gradient.slice(6, 10)].every((each) => each !== 0)).toBe(true);
    expect([...gradient.slice(10)].every((each) => each === 0)).toBe(true);
    dispose([x, value, ...grads]);
    gru.dispose();
  });

  it("#95118: equal lengths in a batch are as no lengths", async () => {
    const lstm = new LSTM(2, 2);
    const one = normal([1, 3, 2], 9);
    const x = tile(one, [2, 1, 1]);
    const [given, plain] = [lstm.call(x, { lengths: [3, 3] }), lstm.call(x)];
    await expect(given.output).toBeCloseToTensor(plain.output);
    await expect(given.state.cell).toBeCloseToTensor(plain.state.cell);
    for (const { output, state } of [given, plain]) dispose([output, state.hidden, state.cell]);
    dispose([one, x]);
    lstm.dispose();
  });
});
