import { beforeAll, describe, expect, it } from "vitest";
import {
  type HostEntry,
  InputError,
  invertMapping,
  mapWeights,
  readSafetensors,
  type WeightMapping,
  type WeightRule,
  WeightsError,
} from "../../index.js";
import { parsePattern } from "./pattern.js";

let stored: Map<string, HostEntry>;
beforeAll(async () => {
  const url = new URL("../../../fixtures/weight-layouts.safetensors", import.meta.url);
  stored = await (await readSafetensors(url)).hosts();
});

/** The entries of a case, without its name. */
const part = (name: string): Map<string, HostEntry> =>
  new Map(
    [...stored].flatMap(([key, entry]) =>
      key.startsWith(`${name}/`) ? [[key.slice(name.length + 1), entry] as const] : [],
    ),
  );

const entry = (...values: number[]): HostEntry => ({
  dtype: "float32",
  shape: [values.length],
  values: Float32Array.from(values),
});

/** What a mapping makes of a case, and that the inverted one gives the case back. */
async function thereAndBack(
  from: Map<string, HostEntry>,
  mapping: WeightMapping,
): Promise<Map<string, HostEntry>> {
  // rules are data: they survive JSON
  const rules = JSON.parse(JSON.stringify(mapping)) as WeightMapping;
  const mapped = mapWeights(from, rules);
  const hosts = await mapped.hosts();
  for (const [name, host] of hosts) expect(mapped.info(name).shape, name).toEqual(host.shape);
  expect(mapped.oneWay).toEqual([]);
  expect(mapped.incomplete).toEqual([]);
  const back = await mapWeights(hosts, invertMapping(rules)).hosts();
  expect(new Map([...back].sort())).toEqual(new Map([...from].sort()));
  return hosts;
}

function expectClose(actual: HostEntry, expected: HostEntry): void {
  expect(actual.shape).toEqual(expected.shape);
  const most = Math.max(...(expected.values as Float32Array).map(Math.abs));
  for (const [index, value] of expected.values.entries())
    expect(Math.abs(Number(actual.values[index]) - Number(value))).toBeLessThanOrEqual(1e-6 * most);
}

describe("parsePattern", () => {
  it("matches segments and rests, and fills them in again", () => {
    const pattern = parsePattern("test", "layers.{i}.{rest*}");
    const found = pattern.match("layers.12.norm.weight")!;
    expect([...found]).toEqual([
      ["i", "12"],
      ["rest", "norm.weight"],
    ]);
    expect(parsePattern("test", "{rest*}@{i}").fill(found)).toBe("norm.weight@12");
    expect(pattern.match("layers.12")).toBe(undefined);
    expect(pattern.match("xlayers.1.a")).toBe(undefined);
    expect(parsePattern("test", "{p*}weight").match("weight")?.get("p")).toBe("");
    expect(parsePattern("test", "a.b*(c)").match("axb*(c)")).toBe(undefined);
    expect(parsePattern("test", "a.{x}").match("a.line\nbreak")?.get("x")).toBe("line\nbreak");
  });

  it.each([
    ["", "no text"],
    ["a{", "a brace"],
    ["{1}", "a brace"],
    ["{a}.{a}", "{a} twice"],
    ["{a}{b}", "side by side"],
    ["{a*}.{b*}", "more than one {x*}"],
  ])("refuses %j", (text, problem) => {
    expect(() => parsePattern("test", text)).toThrow(InputError);
    expect(() => parsePattern("test", text)).toThrow(problem);
  });

  it("takes little time for a long name", () => {
    const start = performance.now();
    parsePattern("test", "{p*}.{a}.{b}.weight").match("a.".repeat(200_000));
    expect(performance.now() - start).toBeLessThan(30_000);
  });
});

describe("mapWeights", () => {
  it("strips prefixes and renames, the first rule that fits, and keeps the rest", async () => {
    const from = new Map([
      ["module.encoder.layer.0.attention.gamma", entry(1)],
      ["module.encoder.layer.11.attention.gamma", entry(2)],
      ["module.head.bias", entry(3)],
      ["step", entry(4)],
    ]);
    const to = await thereAndBack(from, [
      { from: "module.encoder.layer.{i}.{rest*}.gamma", to: "layers.{i}.{rest*}.scale" },
      { from: "module.head.{rest*}", to: "head.{rest*}" },
    ]);
    expect([...to.keys()]).toEqual([
      "layers.0.attention.scale",
      "layers.11.attention.scale",
      "head.bias",
      "step",
    ]);
    expect(
      (await thereAndBack(new Map([["weight", entry(1)]]), [{ from: "{rest*}", to: "model.{rest*}" }])).get(
        "model.weight",
      ),
    ).toEqual(entry(1));
  });

  it("joins and splits as PyTorch's fused projections lie, equal and grouped", async () => {
    const fused = await thereAndBack(part("fused"), [
      { from: "in_proj_{kind}", to: ["q.{kind}", "k.{kind}", "v.{kind}"], join: { axis: 0 } },
    ]);
    const whole = stored.get("fused/in_proj_weight")!.values as Float32Array;
    expect(fused.get("k.weight")).toEqual({ dtype: "float32", shape: [6, 6], values: whole.slice(36, 72) });
    const grouped = part("grouped");
    const qkv = grouped.get("qkv")!;
    grouped.delete("qkv");
    const rule: WeightRule = { from: ["q", "k", "v"], to: "qkv", join: { axis: 0, sizes: [4, 1, 1] } };
    expect(await thereAndBack(grouped, [rule])).toEqual(new Map([["qkv", qkv]]));
    expect(() => mapWeights(grouped, [{ ...rule, join: { axis: 0 } }])).toThrow(
      /expected lengths 4, 4, 4 along axis 0, got 8, 2, 2; say join.sizes/,
    );
  });

  it.each(["o i h w -> h w i o", "o i h w -> o (h w i)", "o i h w -> 1 w (i o) h"])(
    "rearranges %s as PyTorch does",
    async (rearrange) => {
      const conv = new Map([["conv", stored.get("rearranged/conv")!]]);
      const rule = { from: "conv", to: "out", rearrange, sizes: { o: 4, h: 2, w: 5 } };
      expect((await thereAndBack(conv, [rule])).get("out")).toEqual(stored.get(`rearranged/${rearrange}`));
    },
  );

  it("reorders rotary pairs, gates and experts as PyTorch does", async () => {
    const rotary = await thereAndBack(new Map([["pairs", stored.get("rotary/pairs")!]]), [
      {
        from: "pairs",
        to: "halves",
        rearrange: "(heads dim two) in -> (heads two dim) in",
        sizes: { heads: 2, two: 2 },
      },
    ]);
    expect(rotary.get("halves")).toEqual(stored.get("rotary/halves"));
    const gates = await thereAndBack(new Map([["ifgo", stored.get("gates/ifgo")!]]), [
      { from: "ifgo", to: "ifog", order: { axis: 0, parts: [0, 1, 3, 2] } },
    ]);
    expect(gates.get("ifog")).toEqual(stored.get("gates/ifog"));
    const experts = new Map([...part("experts")].filter(([name]) => name.endsWith(".w")).reverse());
    for (const axis of [0, 1, 2]) {
      const rule = { from: "{e}.w", to: "w", stack: { placeholder: "e", axis } };
      expect((await thereAndBack(experts, [rule])).get("w")).toEqual(stored.get(`experts/w${axis}`));
    }
  });

  it("moves integers and flags exactly", async () => {
    const moved = await thereAndBack(part("integers"), [
      { from: "long", to: "turned", rearrange: "a b -> b a" },
      { from: "flag", to: "flag0", rearrange: "1 n -> n" },
    ]);
    expect(moved.get("turned")).toEqual({
      dtype: "int64",
      shape: [2, 3],
      values: BigInt64Array.of(2n ** 40n, 3n, 5n, -1n, 4n, 6n),
    });
    expect(moved.get("flag0")).toEqual({ dtype: "bool", shape: [2], values: Uint8Array.of(1, 0) });
  });

  it("renames either form of weight normalisation into the other", async () => {
    const other = await thereAndBack(part("norm"), [
      { from: "{p*}weight_g", to: "{p*}parametrizations.weight.original0" },
      { from: "{p*}weight_v", to: "{p*}parametrizations.weight.original1" },
    ]);
    expect(new Map([...other].sort())).toEqual(new Map([...part("parametrized")].sort()));
  });

  it.each([
    ["norm", "{p*}weight_g", "{p*}weight_v"],
    ["parametrized", "{p*}parametrizations.weight.original0", "{p*}parametrizations.weight.original1"],
  ])("computes the weight of %s as PyTorch does, and parts of the same weight back", async (form, g, v) => {
    const mapping: WeightMapping = [
      {
        from: [g.replace("{p*}", "axis1."), v.replace("{p*}", "axis1.")],
        to: "axis1.weight",
        weightNorm: { axis: 1 },
      },
      { from: [g, v], to: "{p*}weight", weightNorm: { axis: 0 } },
    ];
    const weights = await mapWeights(part(form), mapping).hosts();
    expect(weights.size).toBe(8);
    for (const [name, expected] of part(`${form}-weights`)) expectClose(weights.get(name)!, expected);
    const parts = await mapWeights(weights, invertMapping(mapping)).hosts();
    expect([...parts.keys()].sort()).toEqual([...part(form).keys()].sort());
    for (const [name, original] of part(form))
      if (name.endsWith("_g") || name.endsWith("original0")) {
        // a norm is positive, and the one of the same direction up to the sign that g has
        expectClose(parts.get(name)!, {
          ...original,
          values: (original.values as Float32Array).map(Math.abs),
        } as HostEntry);
      }
    const again = await mapWeights(parts, mapping).hosts();
    for (const [name, weight] of weights) expectClose(again.get(name)!, weight);
  });

  it("maps what was mapped, remembers where from, and reads only what is asked for", async () => {
    const read: string[] = [];
    const file = {
      names: ["module.q", "module.k", "module.ids", "other"],
      has: () => true,
      info: () => ({ dtype: "F16", shape: [1] }),
      async host(name: string) {
        read.push(name);
        return entry(name.length);
      },
    } as never;
    const stripped = mapWeights(file, [{ ignore: "{p*}ids" }, { from: "module.{rest*}", to: "{rest*}" }]);
    const mapped = mapWeights(stripped, [{ from: ["q", "k"], to: "qk", join: { axis: 0 } }]);
    expect(mapped.names).toEqual(["qk", "other"]);
    expect(mapped.info("qk")).toEqual({ dtype: "F16", shape: [2] });
    expect(mapped.origins.get("qk")).toEqual({
      sources: ["module.q", "module.k"],
      rules: ["module.{rest*} → {rest*}", "q + k → qk"],
    });
    expect(mapped.origins.get("other")).toEqual({ sources: ["other"], rules: [] });
    expect([...mapped.ignored]).toEqual([["module.ids", "ignore {p*}ids"]]);
    expect(read).toEqual([]);
    expect(await mapped.host("qk")).toEqual(entry(8, 8));
    expect(read).toEqual(["module.q", "module.k"]);
    await expect(mapped.hosts({ signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
  });

  it("says which names are incomplete, lead back elsewhere, or meet", () => {
    const weights = new Map([
      ["a.q", entry(1)],
      ["e.0", entry(1)],
      ["e.2", entry(1)],
      ["x.gamma", entry(1)],
      ["y.weight", entry(1)],
    ]);
    const mapped = mapWeights(weights, [
      { from: ["{p}.q", "{p}.k"], to: "{p}.qk", join: { axis: 0 } },
      { from: "e.{i}", to: "e", stack: { placeholder: "i", axis: 0 } },
      { from: "{p}.gamma", to: "{p}.weight" },
    ]);
    expect(mapped.names).toEqual(["x.weight", "y.weight"]);
    expect(mapped.incomplete).toEqual([
      { rule: "{p}.q + {p}.k → {p}.qk", found: ["a.q"], missing: ["a.k"] },
      { rule: "e.{i} → e", found: ["e.0", "e.2"], missing: ["e.1"] },
    ]);
    expect(mapped.oneWay).toEqual(["y.weight"]);
    expect(() => mapWeights(weights, [{ from: "x.gamma", to: "y.weight" }])).toThrow(
      /expected one source of "y.weight", got x.gamma and y.weight/,
    );
  });

  const long = entry(1, 2, 3);
  it.each<[string, WeightRule, RegExp]>([
    [
      "a shape that does not fit",
      { from: "x", to: "y", rearrange: "a b -> b a" },
      /x by x → y: expected a shape that "a b -> b a" fits, got \[3\]/,
    ],
    [
      "an axis that does not split",
      { from: "x", to: ["y", "z"], join: { axis: 0 } },
      /splits as 1 : 1, got 3 of \[3\]/,
    ],
    [
      "an axis that is not there",
      { from: "x", to: ["y", "z"], join: { axis: 1 } },
      /a shape with axis 1, got \[3\]/,
    ],
    [
      "parts of other shapes",
      { from: ["x", "m"], to: "y", join: { axis: 0 } },
      /parts that fit along axis 0, got \[3\] and \[1, 3\]/,
    ],
    [
      "norms of another number",
      { from: ["one", "m"], to: "y", weightNorm: { axis: 1 } },
      /expected 3 norms for axis 1 of \[1, 3\], got \[1\]/,
    ],
    [
      "an order that does not divide",
      { from: "x", to: "y", order: { axis: 0, parts: [1, 0] } },
      /splits as 1 : 1/,
    ],
    [
      "too many parts",
      { from: "lie", to: "y.{i}", stack: { placeholder: "i", axis: 0 } },
      /at most 100000 parts/,
    ],
  ])("refuses %s", (_, rule, message) => {
    const lie: HostEntry = { dtype: "float32", shape: [1e9, 0], values: new Float32Array(0) };
    const weights = new Map([
      ["x", long],
      ["m", { ...long, shape: [1, 3] } as HostEntry],
      ["one", entry(1)],
      ["lie", lie],
    ]);
    expect(() => mapWeights(weights, [rule])).toThrow(WeightsError);
    expect(() => mapWeights(weights, [rule])).toThrow(message);
  });

  it("refuses parts of several dtypes and integers that are normalised", async () => {
    const integers: HostEntry = { dtype: "int32", shape: [3], values: Int32Array.of(1, 2, 3) };
    const weights = new Map([
      ["x", long],
      ["i", integers],
    ]);
    await expect(
      mapWeights(weights, [{ from: ["x", "i"], to: "y", join: { axis: 0 } }]).hosts(),
    ).rejects.toThrow(/parts of one dtype, got float32 and int32/);
    await expect(
      mapWeights(weights, [{ from: "i", to: ["g", "v"], weightNorm: { axis: 0 } }]).hosts(),
    ).rejects.toThrow(/floating-point values, got int32/);
  });

  it.each<[unknown, RegExp]>([
    ["rules", /mapping as an array of rules, got string/],
    [[3], /rule 0: expected an object, got 3/],
    [[{ from: "a", to: "b", rearange: "" }], /rule 0: expected fields from, .*, got rearange/],
    [[{ from: "a" }], /got "" with no text/],
    [[{ from: "{a}", to: "{b}" }], /the placeholders \{a\} in every name, got "\{b\}"/],
    [[{ from: ["a", "b"], to: "c" }], /one name on each side, got 2 and 1; say join/],
    [[{ from: ["a", "b"], to: ["c", "d"], join: { axis: 0 } }], /one name on one side and several/],
    [[{ from: "a", to: ["c", "d"], join: { axis: 0, sizes: [1] } }], /2 sizes above 0, got \[1\]/],
    [[{ from: "a", to: ["c", "d"], join: { axis: -1 } }], /an axis of 0 or more, got -1/],
    [[{ from: "a", to: "b", rearrange: "a a -> a" }], /each axis once/],
    [[{ from: "a", to: "b", rearrange: "a b" }], /rearrange as "a b -> b a"/],
    [[{ from: "a", to: "b", rearrange: "a b -> b a", sizes: { c: 2 } }], /sizes of axes .* got c: 2/],
    [[{ from: "a", to: "b", rearrange: "(a b -> b a" }], /names of axes/],
    [[{ from: "a", to: "b", sizes: {} }], /sizes with rearrange/],
    [[{ from: "a", to: "b", order: { axis: 0, parts: [0, 0] } }], /each of 0, 1 … once/],
    [[{ from: "a", to: "b", stack: { placeholder: "i", axis: 0 } }], /\{i\} on one side only/],
    [
      [{ from: "a", to: "b", stack: { placeholder: "i", axis: 0 }, sizes: {} }],
      /a rename for sizes, got stack/,
    ],
    [[{ ignore: "a", to: "b" }], /ignore alone/],
  ])("refuses the mapping %j", (mapping, message) => {
    expect(() => mapWeights(new Map(), mapping as never)).toThrow(InputError);
    expect(() => mapWeights(new Map(), mapping as never)).toThrow(message);
  });
});
