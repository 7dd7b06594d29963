import { BERT, bertInput, bertLayer } from "../workloads/inputs.mjs";

/** The encoder of workloads/inputs.mjs as exporters write it: separate projections, GELU by Erf. */
export function bertModel() {
  const { layers, dim, heads, length, epsilon } = BERT;
  const headDim = dim / heads;
  const nodes = [];
  const constants = {
    split: { shape: [4], values: [1, length, heads, headDim] },
    merge: { shape: [3], values: [1, length, dim] },
    scale: { shape: [1], values: Float32Array.of(1 / Math.sqrt(headDim)) },
    root: { shape: [1], values: Float32Array.of(Math.SQRT2) },
    one: { shape: [1], values: Float32Array.of(1) },
    half: { shape: [1], values: Float32Array.of(0.5) },
  };
  let count = 0;
  const node = (operator, inputs, attributes) => {
    const output = `v${count++}`;
    nodes.push({ operator, inputs, output, attributes });
    return output;
  };
  let x = "x";
  for (let index = 0; index < layers; index++) {
    const name = (part) => `${part}${index}`;
    for (const [part, constant] of Object.entries(bertLayer(index))) constants[name(part)] = constant;
    const linear = (input, part) => node("Add", [node("MatMul", [input, name(part)]), name(`${part}Bias`)]);
    const headsOf = (part, perm) =>
      node("Transpose", [node("Reshape", [linear(x, part), "split"])], { perm });
    const scores = node("Mul", [
      node("MatMul", [headsOf("query", [0, 2, 1, 3]), headsOf("key", [0, 2, 3, 1])]),
      "scale",
    ]);
    const mixed = node("MatMul", [node("Softmax", [scores], { axis: 3 }), headsOf("value", [0, 2, 1, 3])]);
    const merged = node("Reshape", [node("Transpose", [mixed], { perm: [0, 2, 1, 3] }), "merge"]);
    const norm = (sum, part) =>
      node("LayerNormalization", [sum, name(part), name(`${part}Bias`)], {
        axis: 2,
        epsilon: { float: epsilon },
      });
    const first = norm(node("Add", [x, linear(merged, "output")]), "norm1");
    const up = linear(first, "up");
    const erf = node("Add", [node("Erf", [node("Div", [up, "root"])]), "one"]);
    const gelu = node("Mul", [node("Mul", [up, erf]), "half"]);
    x = norm(node("Add", [first, linear(gelu, "down")]), "norm2");
  }
  return {
    nodes,
    constants,
    inputs: { x: [1, length, dim] },
    output: { name: x, shape: [1, length, dim] },
    feeds: [bertInput()],
  };
}
