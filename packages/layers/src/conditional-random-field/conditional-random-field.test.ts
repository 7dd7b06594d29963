import {
  dispose,
  exp,
  InputError,
  KernelError,
  neg,
  ones,
  RandomGenerator,
  randomNormal,
  read,
  ShapeError,
  sub,
  sum,
  type Tensor,
  tensor,
  tidy,
  tile,
  toArray,
  valueAndGrad,
  zeros,
} from "@ai/tensor";
import { describeEachDevice, expectNoLeak } from "@ai/tensor/testing";
import { describe, expect, it } from "vitest";
import {
  ConditionalRandomField,
  type ConditionalRandomFieldCallOptions,
  GRU,
  Linear,
  Module,
  tagConstraints,
} from "../index.js";
import { expectLikeTorch, type LayerCase, loadLayerFixture, storedState } from "../testing/layer-cases.js";

/** As in tooling/fixtures/layers/conditional_random_field.py. */
const LENGTHS = [6, 1, 3, 5];
const HOLES = [
  [true, false, true, true, false, true],
  [false, false, false, true, false, false],
  [false, true, true, false, false, false],
  [true, true, true, true, true, true],
];

const build = (): ConditionalRandomField => new ConditionalRandomField(5);

function likelihood(options: () => ConditionalRandomFieldCallOptions): LayerCase["call"] {
  return (crf: ConditionalRandomField, [emissions, tags]) => [crf.call(emissions, tags, options())];
}

const CASES: readonly LayerCase[] = [
  { name: "whole", build },
  { name: "lengths", build, call: likelihood(() => ({ lengths: LENGTHS, reduction: "none" })) },
  { name: "mean", build, call: likelihood(() => ({ lengths: LENGTHS, reduction: "mean" })) },
  {
    name: "token_mean",
    build,
    call: likelihood(() => ({ lengths: tensor(Int32Array.from(LENGTHS)), reduction: "tokenMean" })),
  },
  { name: "holes", build, call: likelihood(() => ({ mask: tensor(HOLES), reduction: "none" })) },
  { name: "one_step", build, call: likelihood(() => ({ reduction: "none" })) },
].map((each) => ({
  ...each,
  tolerance: { relative: 5e-5 }, // differences of sums that are ten times as large
}));

const normal = (shape: number[], seed = 1): Tensor =>
  randomNormal(shape, { generator: new RandomGenerator(seed) });

describeEachDevice("ConditionalRandomField equals pytorch-crf", () => {
  for (const layerCase of CASES)
    it(layerCase.name, async () => {
      await expectLikeTorch(await loadLayerFixture("conditional-random-field"), layerCase);
    });

  it("decodes and gives marginals", async () => {
    const fixture = await loadLayerFixture("conditional-random-field");
    const crf = build();
    crf.loadStateDict(storedState(fixture, "decode"));
    const emissions = fixture.tensor("decode/emissions");
    const marginals = crf.marginals(emissions, { lengths: LENGTHS });
    await expect(marginals).toBeCloseToTensor(fixture.host("decode/marginals"), { relative: 5e-5 });
    const { tags, scores } = await crf.decode(emissions, { lengths: LENGTHS });
    expect(tags.map((row) => row.length)).toEqual(LENGTHS);
    expect(tags.flat()).toEqual([...fixture.host("decode/tags").values]);
    // the best tags' log-likelihood is their score less the log-sum
    const given = tensor(
      tags.map((row) => [...row, ...Array(6 - row.length).fill(-1)]),
      [4, 6],
      "int32",
    );
    const values = crf.call(emissions, given, { lengths: LENGTHS, reduction: "none" });
    const totals = fixture.host("decode/totals").values;
    for (const [item, value] of (await read(values)).entries())
      expect(value).toBeCloseTo(scores[item] - Number(totals[item]), 4);
    dispose([emissions, marginals, given, values]);
    crf.dispose();
  });
});

describeEachDevice("ConditionalRandomField", () => {
  it("takes sequences of no step, and reads nothing that does not count", async () => {
    const crf = new ConditionalRandomField(2);
    const x = tensor(
      [3, 1, Number.NaN, Number.NaN, Number.NaN, Number.NaN, Number.NaN, Number.NaN],
      [2, 2, 2],
    );
    const tags = tensor(Int32Array.of(1, -100, -100, 7), [2, 2]);
    const options = { lengths: [1, 0], reduction: "none" } as const;
    const values = crf.call(x, tags, options);
    const marginals = crf.marginals(x, { lengths: [1, 0] });
    const [start, end] = (await Promise.all(
      [crf.startTransitions.value, crf.endTransitions.value].map(read),
    )) as Float32Array[];
    const scores = [3 + start[0] + end[0], 1 + start[1] + end[1]];
    const total = Math.log(Math.exp(scores[0]) + Math.exp(scores[1]));
    await expect(values).toBeCloseToTensor({ shape: [2], dtype: "float32", values: [scores[1] - total, 0] });
    const shares = scores.map((score) => Math.exp(score - total));
    await expect(marginals).toBeCloseToTensor({
      shape: [2, 2, 2],
      dtype: "float32",
      values: [...shares, 0, 0, 0, 0, 0, 0],
    });
    expect((await crf.decode(x, { lengths: [1, 0] })).tags).toEqual([[scores[0] > scores[1] ? 0 : 1], []]);
    const { value, grads } = valueAndGrad(
      (given) => sum(crf.call(given, tags, options)),
      [x, ...crf.parameters().map((parameter) => parameter.value)],
    );
    for (const gradient of grads) expect((await read(gradient)).every(Number.isFinite)).toBe(true);
    const empty = zeros([2, 0, 2]);
    const nothing = crf.call(empty, zeros([2, 0], "int32"), { reduction: "none" });
    expect([...(await read(nothing))].map(Math.abs)).toEqual([0, 0]);
    expect(await crf.decode(empty)).toEqual({ tags: [[], []], scores: [0, 0] });
    dispose([x, tags, values, marginals, value, ...grads, empty, nothing]);
    crf.dispose();
  });

  it("keeps to its constraints in likelihood, marginals and decoding", async () => {
    const labels = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG"];
    const constraints = tagConstraints(labels, "BIO");
    const crf = new ConditionalRandomField(5, { constraints });
    // I-ORG looks best everywhere
    const x = tensor(
      [
        [0, 1, 0, 0, 9],
        [0, 0, 3, 0, 9],
        [0, 1, 0, 0, 9],
      ].flat(),
      [1, 3, 5],
    );
    const { tags } = await crf.decode(x);
    expect(tags).toEqual([[3, 4, 4]]);
    const marginals = crf.marginals(x);
    const shares = (await toArray(marginals)) as number[][][];
    expect([shares[0][0][2], shares[0][0][4]]).toEqual([0, 0]);
    for (const row of shares[0]) expect(row.reduce((total, share) => total + share)).toBeCloseTo(1, 5);
    const broken = tensor(Int32Array.of(0, 4, 4), [1, 3]);
    const legal = tensor(Int32Array.of(3, 4, 4), [1, 3]);
    const [impossible, possible] = [crf.call(x, broken), crf.call(x, legal)];
    expect([...(await read(impossible))]).toEqual([Number.NEGATIVE_INFINITY]);
    expect((await read(possible))[0]).toBeGreaterThan(-0.1);
    const { value, grads } = valueAndGrad(
      () => neg(crf.call(x, legal)),
      crf.parameters().map((parameter) => parameter.value),
    );
    const names = crf.namedParameters().map(([name]) => name);
    const gradient = (await toArray(grads[names.indexOf("transitions")])) as number[][];
    for (const [from, row] of constraints.transitions.entries())
      for (const [to, allowed] of row.entries()) if (!allowed) expect(gradient[from][to]).toBe(0);
    dispose([x, marginals, broken, legal, impossible, possible, value, ...grads]);
    crf.dispose();
  });

  it("stays exact over long sequences of large scores", async () => {
    const length = 300;
    const crf = new ConditionalRandomField(2);
    for (const parameter of crf.parameters()) parameter.setValue(zeros(parameter.shape));
    // every step says its tag with odds of e: the likelihood is length · ln σ(1)
    const values = new Float32Array(2 * length).map((_, index) => (index % 2 === 0 ? 1000 : 999));
    const x = tensor(values, [1, length, 2]);
    const tags = zeros([1, length], "int32");
    const result = crf.call(x, tags);
    const expected = -length * Math.log1p(Math.exp(-1));
    expect(Math.abs((await read(result))[0] / expected - 1)).toBeLessThan(1e-5);
    dispose([x, tags, result]);
    crf.dispose();
  });

  it("leaks nothing and refuses what does not fit", async () => {
    const crf = new ConditionalRandomField(3);
    const [x, tags, mask] = [normal([2, 4, 3]), zeros([2, 4], "int32"), ones([2, 4], "bool")];
    await expectNoLeak(async () => {
      const { value, grads } = valueAndGrad((e) => crf.call(e, tags, { mask }), [x]);
      dispose([value, ...grads, crf.marginals(x, { mask })]);
      await crf.decode(x, { mask });
    });
    const wrong: [() => unknown, RegExp][] = [
      [() => crf.call(x, x), /^ConditionalRandomField: expected int32 tags, got float32/],
      [() => crf.call(x, zeros([2, 3], "int32")), /expected tags \[2, 4\], got \[2, 3\]/],
      [() => crf.call(x, tags, { lengths: [4, 5] }), /integer lengths in \[0, 4\], got \[4, 5\]/],
      [() => crf.call(x, tags, { lengths: [4, 4], mask }), /lengths or a mask, got both/],
      [() => crf.call(x, tags, { mask: tags }), /a bool mask, got int32/],
      [() => crf.call(x, tags, { mask: ones([2, 3], "bool") }), /a mask \[2, 4\], got \[2, 3\]/],
      [() => crf.call(x, tags, { reduction: "max" as "sum" }), /expected reduction "sum" or "mean"/],
      [() => crf.call(x, tags, { steps: 1 } as object), /got one named steps/],
      [() => crf.marginals(tags), /^ConditionalRandomField: expected an input \[batch, length, 3\]/],
      [() => crf.marginals(x, { reduction: "sum" } as object), /marginals: .*got one named reduction/],
    ];
    for (const [call, message] of wrong) expect(call).toThrow(message);
    await expect(crf.decode(zeros([2, 3]))).rejects.toThrow(ShapeError);
    const broken = tensor([1, Number.NaN, 0], [1, 1, 3]);
    await expect(crf.decode(broken)).rejects.toThrow(/^ConditionalRandomField: decode: .*got NaN/);
    dispose([x, tags, mask, broken]);
    crf.dispose();
  });
});

describeEachDevice("ConditionalRandomField", () => {
  it("is the top of a tagger, which decodes before it was ever called", async () => {
    class Tagger extends Module<[x: Tensor, tags: Tensor, lengths: readonly number[]], Tensor> {
      readonly encoder = new GRU(2, 3, { bidirectional: true });
      readonly emissions = new Linear(6, 3);
      readonly crf = new ConditionalRandomField(3);
      scores(x: Tensor, lengths: readonly number[]): Tensor {
        return tidy(() => this.emissions.call(this.encoder.call(x, { lengths }).output));
      }
      protected override forward(x: Tensor, tags: Tensor, lengths: readonly number[]): Tensor {
        return this.crf.call(this.scores(x, lengths), tags, { lengths, reduction: "none" });
      }
    }
    const tagger = new Tagger();
    const x = normal([2, 4, 2], 11);
    const lengths = [4, 2];
    const scores = tagger.scores(x, lengths);
    const { tags } = await tagger.crf.decode(scores, { lengths });
    const best = tensor(
      tags.map((row) => [...row, ...Array(4 - row.length).fill(0)]),
      [2, 4],
      "int32",
    );
    const others = sub(2, best);
    const [likely, unlikely] = await Promise.all(
      [tagger.call(x, best, lengths), tagger.call(x, others, lengths)].map(async (values) => {
        const numbers = [...(await read(values))];
        values.dispose();
        return numbers;
      }),
    );
    for (const [item, value] of likely.entries()) expect(value).toBeGreaterThanOrEqual(unlikely[item]);
    expect([...(await tagger.stateDict()).keys()]).toEqual(
      expect.arrayContaining(["crf.transitions", "crf.start_transitions", "crf.end_transitions"]),
    );
    dispose([x, scores, best, others]);
    tagger.dispose();
  });

  it("names a tag that is none", () => {
    const crf = new ConditionalRandomField(3);
    const [x, tags] = [zeros([1, 1, 3]), tensor(Int32Array.of(3), [1, 1])];
    expect(() => crf.call(x, tags)).toThrow(KernelError);
    dispose([x, tags]);
    crf.dispose();
  });

  it("gives all sequences together probability 1", async () => {
    const crf = new ConditionalRandomField(3);
    crf.initialize({ seed: 5 });
    const sequences = Array.from({ length: 27 }, (_, index) => [
      index % 3,
      Math.floor(index / 3) % 3,
      Math.floor(index / 9),
    ]);
    const one = normal([1, 3, 3], 9);
    const x = tile(one, [27, 1, 1]);
    const tags = tensor(Int32Array.from(sequences.flat()), [27, 3]);
    const values = crf.call(x, tags, { reduction: "none" });
    const probabilities = (await read(exp(values))) as Float32Array;
    expect(probabilities.reduce((total, each) => total + each)).toBeCloseTo(1, 5);
    const best = probabilities.indexOf(Math.max(...probabilities));
    expect((await crf.decode(one)).tags).toEqual([sequences[best]]);
    dispose([one, x, tags, values]);
    crf.dispose();
  });
}, ["cpu"]);

describe("tagConstraints", () => {
  const pairs = (labels: string[], scheme: Parameters<typeof tagConstraints>[1]): string[] => {
    const { transitions, start, end } = tagConstraints(labels, scheme);
    return [
      ...labels.filter((_, tag) => start[tag]).map((label) => `^ ${label}`),
      ...labels.flatMap((from, i) => labels.filter((_, j) => transitions[i][j]).map((to) => `${from} ${to}`)),
      ...labels.filter((_, tag) => end[tag]).map((label) => `${label} $`),
    ];
  };

  it("knows what each scheme allows", () => {
    expect(pairs(["O", "B-X", "I-X"], "BIO")).toEqual([
      ...["^ O", "^ B-X", "O O", "O B-X", "B-X O", "B-X B-X", "B-X I-X", "I-X O", "I-X B-X", "I-X I-X"],
      ...["O $", "B-X $", "I-X $"],
    ]);
    expect(pairs(["O", "B-X", "I-X"], "IOB1")).toEqual([
      ...["^ O", "^ I-X", "O O", "O I-X", "B-X O", "B-X B-X", "B-X I-X", "I-X O", "I-X B-X", "I-X I-X"],
      ...["O $", "B-X $", "I-X $"],
    ]);
    const long = [
      "^ O",
      "^ B-X",
      "^ S-X",
      "O O",
      "O B-X",
      "O S-X",
      "B-X I-X",
      "B-X E-X",
      "I-X I-X",
      "I-X E-X",
    ];
    const rest = ["E-X O", "E-X B-X", "E-X S-X", "S-X O", "S-X B-X", "S-X S-X", "O $", "E-X $", "S-X $"];
    expect(pairs(["O", "B-X", "I-X", "E-X", "S-X"], "BIOES")).toEqual([...long, ...rest]);
    expect(
      pairs(["O", "B-X", "I-X", "L-X", "U-X"], "BILOU").map((pair) =>
        pair.replaceAll("L-", "E-").replaceAll("U-", "S-"),
      ),
    ).toEqual([...long, ...rest]);
    expect(pairs(["B-X", "I-Y"], "BIO")).toEqual([
      "^ B-X",
      "B-X B-X",
      "I-Y B-X",
      "I-Y I-Y",
      "B-X $",
      "I-Y $",
    ]);
  });

  it("refuses labels and schemes that it does not know, and constraints of another size", () => {
    expect(() => tagConstraints(["O", "E-X"], "BIO")).toThrow(/scheme BIO, O or B-TYPE, I-TYPE, got "E-X"/);
    expect(() => tagConstraints(["O-X"], "BIO")).toThrow(InputError);
    expect(() => tagConstraints(["B"], "BIO")).toThrow(InputError);
    expect(() => tagConstraints([], "BIO")).toThrow(InputError);
    expect(() => tagConstraints(["O"], "IOB" as "BIO")).toThrow(/expected scheme "IOB1" or "BIO"/);
    const constraints = tagConstraints(["O", "B-X"], "BIO");
    expect(() => new ConditionalRandomField(3, { constraints })).toThrow(
      /ConditionalRandomField: expected constraints { transitions \[3\]\[3\]/,
    );
    expect(() => new ConditionalRandomField(0)).toThrow(InputError);
  });
});

describeEachDevice("ConditionalRandomField", () => {
  it("trains: the likelihood of tags that follow a rule rises", async () => {
    const crf = new ConditionalRandomField(2);
    const x = zeros([1, 12, 2]);
    const tags = tensor(
      Int32Array.from({ length: 12 }, (_, step) => step % 2),
      [1, 12],
    );
    const parameters = crf.parameters();
    let last = Number.NEGATIVE_INFINITY;
    for (let round = 0; round < 5; round++) {
      const { value, grads } = valueAndGrad(
        () => crf.call(x, tags),
        parameters.map((each) => each.value),
      );
      const [now] = await read(value);
      expect(now).toBeGreaterThan(last);
      last = now;
      for (const [index, parameter] of parameters.entries()) {
        const moved = sub(parameter.value, neg(grads[index]));
        parameter.setValue(moved);
      }
      dispose([value, ...grads]);
    }
    const { tags: best } = await crf.decode(x);
    expect(best[0]).toEqual([0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
    dispose([x, tags]);
    crf.dispose();
  });
}, ["cpu", "wasm"]);
