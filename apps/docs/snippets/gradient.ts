import { square, sum, tensor, toArray, useDevice, valueAndGrad } from "@ai/tensor";

await useDevice("wasm");
const x = tensor([1, 2, 3]);
const { value, grads } = valueAndGrad((input) => sum(square(input)), [x]);
console.log(await toArray(value), await toArray(grads[0]));
