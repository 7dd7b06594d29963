import { matMul, tensor, toArray, useDevice } from "@ai/tensor";

const { device } = await useDevice("wasm");
const a = tensor([
  [1, 2],
  [3, 4],
]); // [2, 2]
const b = tensor([[10], [20]]); // [2, 1]
const product = matMul(a, b); // [2, 1]
console.log(device, await toArray(product));
