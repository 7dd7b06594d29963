import { expect, it } from "vitest";
import { formatWeightMatch, type HostEntry, matchWeights, type WeightMapping } from "../../index.js";

const entry = (...shape: number[]): HostEntry => {
  const length = shape.reduce((product, size) => product * size, 1);
  return { dtype: "float32", shape, values: new Float32Array(length) };
};
const weights = new Map([
  ["bert.embeddings.word.weight", entry(7, 4)],
  ["bert.encoder.q.weight", entry(4, 4)],
  ["bert.encoder.k.weight", entry(4, 4)],
  ["bert.encoder.out.weight", entry(4, 6)],
  ["bert.encoder.alone.weight_g", entry(4)],
  ["position_ids", entry(1)],
  ["cls.bias", entry(9)],
]);
const expected = new Map(
  Object.entries({
    "embeddings.word.weight": [8, 4],
    "encoder.qk.weight": [8, 4],
    "encoder.out.weight": [6, 4],
    "encoder.norm.weight": [4],
    "classifier.cls.bias": [9],
  }).map(([name, shape]) => [name, { shape }]),
);
const mapping: WeightMapping = [
  { ignore: "position_ids" },
  { from: ["bert.{p}.q.weight", "bert.{p}.k.weight"], to: "{p}.qk.weight", join: { axis: 0 } },
  { from: ["{p*}.weight_g", "{p*}.weight_v"], to: "{p*}.weight", weightNorm: { axis: 0 } },
  { from: "bert.{rest*}", to: "{rest*}" },
];

it("says of each name what became of it, by which rule, and what may help", () => {
  const match = matchWeights(weights, expected, { mapping });
  expect(match.isComplete).toBe(false);
  expect(match.counts).toEqual({
    matched: 1,
    "mis-shaped": 2,
    missing: 2,
    unused: 1,
    incomplete: 1,
    ignored: 1,
  });
  const row = (name: string) => match.rows.find((candidate) => candidate.name === name);
  expect(row("encoder.qk.weight")).toEqual({
    status: "matched",
    name: "encoder.qk.weight",
    expectedShape: [8, 4],
    shape: [8, 4],
    dtype: "float32",
    sources: ["bert.encoder.q.weight", "bert.encoder.k.weight"],
    rules: ["bert.{p}.q.weight + bert.{p}.k.weight → {p}.qk.weight"],
  });
  expect(row("encoder.out.weight")?.suggestion).toBe('rearrange: "a b -> b a" gives the shape');
  expect(row("embeddings.word.weight")?.suggestion).toMatch(/^axis 0 has 7 instead of 8: /);
  expect(row("classifier.cls.bias")?.suggestion).toBe("unused cls.bias [9] is like it");
  expect(row("encoder.norm.weight")).toMatchObject({ status: "missing", sources: [] });
  expect(row("bert.encoder.alone.weight_g")).toMatchObject({
    status: "incomplete",
    suggestion: "the rule also needs bert.encoder.alone.weight_v",
  });
  expect(match.suggestedRules).toEqual([{ from: "{rest*}", to: "classifier.{rest*}" }]);
  expect(structuredClone(match)).toEqual(match);
});

it("prints a table, what does not fit first", () => {
  const text = formatWeightMatch(matchWeights(weights, expected, { mapping }));
  const lines = text.split("\n");
  expect(lines[0]).toBe("2 missing, 2 mis-shaped, 1 incomplete, 1 unused, 1 ignored, 1 matched");
  expect(lines[1]).toBe('try the rule {"from":"{rest*}","to":"classifier.{rest*}"}');
  expect(lines[3]).toMatch(/^status +name +shape +from +rule or suggestion$/);
  expect(lines[4]).toMatch(/^missing +encoder\.norm\.weight +expected \[4\]$/);
  expect(lines.at(-1)).toMatch(
    /^matched +encoder\.qk\.weight +float32 \[8, 4\] +bert\.encoder\.q\.weight \+ bert\.encoder\.k\.weight +bert\./,
  );
  expect(lines).toHaveLength(12);
  expect(formatWeightMatch(matchWeights(new Map(), new Map()))).toMatch(/^no tensors\n/);
});

it("finds a prefix on either side, and a match that is complete", () => {
  const plain = new Map(["a.weight", "a.bias", "b.weight"].map((name) => [name, entry(2)]));
  const prefixed = new Map([...plain].map(([name, value]) => [`module.net.${name}`, value]));
  const found = matchWeights(prefixed, plain);
  expect(found.suggestedRules).toEqual([{ from: "module.net.{rest*}", to: "{rest*}" }]);
  expect(matchWeights(prefixed, plain, { mapping: found.suggestedRules }).isComplete).toBe(true);
  const added = matchWeights(plain, prefixed);
  expect(matchWeights(plain, prefixed, { mapping: added.suggestedRules }).isComplete).toBe(true);
});

it("takes little time and room for hostile names", () => {
  const long = new Map(
    Array.from({ length: 300 }, (_, index) => [`${"a.".repeat(2_000)}${index}{`, entry(1)] as const),
  );
  const start = performance.now();
  const match = matchWeights(long, new Map([["b.0", { shape: [1] }]]));
  expect(formatWeightMatch(match).length).toBeLessThan(3_000_000);
  expect(performance.now() - start).toBeLessThan(30_000);
});

it("refuses other options and what is no checkpoint", () => {
  expect(() => matchWeights(weights, expected, { rules: [] } as never)).toThrow(/rules/);
  expect(() => matchWeights(3 as never, expected)).toThrow(
    /opened weights or a Map of host values, got number/,
  );
});
