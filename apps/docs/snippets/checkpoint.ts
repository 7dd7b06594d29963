import { LayerNorm, Linear, Module } from "@ai/layers";
import {
  add,
  formatWeightMatch,
  mapWeights,
  matchWeights,
  ones,
  readWeights,
  type Tensor,
  useDevice,
  type WeightMapping,
  writeSafetensors,
} from "@ai/tensor";

await useDevice("wasm");

class Block extends Module<[x: Tensor], Tensor> {
  readonly query = new Linear(4, 4);
  readonly key = new Linear(4, 4);
  readonly norm = new LayerNorm(4);

  protected forward(x: Tensor): Tensor {
    return this.norm.call(add(this.query.call(x), this.key.call(x)));
  }
}

// what somebody else might have saved: another prefix, one fused matrix, old names of the norm
const theirs = await writeSafetensors({
  "module.query_key.weight": ones([8, 4]),
  "module.query_key.bias": ones([8]),
  "module.norm.gamma": ones([4]),
  "module.norm.beta": ones([4]),
  "module.position_ids": ones([1]),
});

const mapping: WeightMapping = [
  { ignore: "module.position_ids" },
  { from: "module.query_key.{kind}", to: ["query.{kind}", "key.{kind}"], join: { axis: 0 } },
  { from: "module.norm.gamma", to: "norm.weight" },
];
const block = new Block();
const weights = await readWeights(theirs);
console.log(formatWeightMatch(matchWeights(weights, await block.stateDict(), { mapping })));

const mapped = mapWeights(weights, [...mapping, { from: "module.norm.beta", to: "norm.bias" }]);
block.loadStateDict(await mapped.hosts());
