/** Five steps of gradient descent on a line, by the packed packages; runs in Node, in a bundle and in a plain page. */
import { add, mean, mul, read, square, sub, tensor, tidy, useDevice, valueAndGrad } from "@ai/tensor";

export async function train(device) {
  await useDevice(device);
  const x = tensor([[0], [1], [2], [3]]);
  const y = tensor([[1], [3], [5], [7]]);
  let weight = tensor([[0.1]]);
  let bias = tensor([0]);
  const losses = [];
  for (let step = 0; step < 5; step++) {
    const { value, grads } = valueAndGrad((w, b) => mean(square(sub(add(mul(x, w), b), y))), [weight, bias]);
    losses.push((await read(value))[0]);
    [weight, bias] = [weight, bias].map((parameter, index) =>
      tidy(() => sub(parameter, mul(grads[index], 0.05))),
    );
  }
  return losses;
}
