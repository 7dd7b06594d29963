import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import {
  invertMapping,
  mapWeights,
  matchWeights,
  readSafetensors,
  readWeights,
  writeSafetensors,
} from "../../index.js";

const data = (file: string): string =>
  fileURLToPath(new URL(`../../../../../../shared/data/${file}`, import.meta.url));
const present = (file: string): boolean => existsSync(data(file));
const absent = (file: string): string =>
  present(file) ? "" : ` (skipped: ../shared/data/${file} is absent)`;

const RESNET = "vision/resnet20-cifar10.th";
it.skipIf(!present(RESNET))(
  `a ResNet saved under module. is matched after what the report suggests${absent(RESNET)}`,
  async () => {
    const weights = await readWeights(data(RESNET));
    const names = weights.names.filter((name) => name.includes("module."));
    const before = names[0].slice(0, names[0].indexOf("module.") + "module.".length);
    const expected = new Map(names.map((name) => [name.slice(before.length), weights.info(name)]));
    const unmatched = matchWeights(weights, expected);
    expect(unmatched.counts.matched).toBe(0);
    expect(unmatched.suggestedRules).toEqual([{ from: `${before}{rest*}`, to: "{rest*}" }]);
    const matched = matchWeights(weights, expected, { mapping: unmatched.suggestedRules });
    expect(matched.counts).toMatchObject({
      matched: names.length,
      missing: 0,
      "mis-shaped": 0,
      incomplete: 0,
    });
    expect(names.length).toBeGreaterThan(90);
  },
);

const MNIST = "vision/mnist-cnn.safetensors";
it.skipIf(!present(MNIST))(
  `a file mapped there and back is the same, byte for byte${absent(MNIST)}`,
  async () => {
    const file = await readSafetensors(data(MNIST));
    const mapping = [
      { from: "conv{i}.weight", to: "features.{i}.kernel", rearrange: "o i h w -> h w i o" },
      {
        from: "fc1.weight",
        to: "hidden",
        rearrange: "out (c h w) -> h w (c out)",
        sizes: { c: 24, h: 22, w: 22 },
      },
      { from: "fc2.{kind}", to: ["first.{kind}", "second.{kind}"], join: { axis: 0 } },
    ];
    const back = [
      ...invertMapping(mapping.filter(({ from }) => from !== "fc1.weight")),
      { from: "hidden", to: "fc1.weight", rearrange: "h w (c out) -> out (c h w)", sizes: { c: 24 } },
    ];
    const there = mapWeights(file, mapping);
    expect(there.info("hidden").shape).toEqual([22, 22, 24 * 32]);
    expect(there.has("second.bias")).toBe(true);
    const again = mapWeights(there, back);
    expect([...again.names].sort()).toEqual([...file.names].sort());
    const [written, original] = [
      await writeSafetensors(await again.hosts()),
      await writeSafetensors(await file.hosts()),
    ];
    // a matcher would take half a minute for so many bytes
    expect(Buffer.compare(written, original)).toBe(0);
  },
);
