import { LayerNorm, Linear, Module } from "@ai/layers";
import { ones, relu, type Tensor, useDevice } from "@ai/tensor";

await useDevice("wasm");

class Block extends Module<[x: Tensor], Tensor> {
  readonly norm: LayerNorm;
  readonly layers: Linear[];

  constructor(dim: number, depth: number) {
    super();
    this.norm = new LayerNorm(dim);
    this.layers = Array.from({ length: depth }, () => new Linear(dim, dim));
  }

  protected override forward(x: Tensor): Tensor {
    return this.layers.reduce((y, layer) => relu(layer.call(y)), this.norm.call(x));
  }
}

const block = new Block(4, 2);
console.log(block.call(ones([1, 4])).shape);
console.log(block.namedParameters().map(([name]) => name));
