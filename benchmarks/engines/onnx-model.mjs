/** A writer for ONNX models of one node: just enough protobuf (varints and nested messages) for the benchmarks. */
function varint(value) {
  const bytes = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest & 127) | 128);
    rest = Math.floor(rest / 128);
  }
  return [...bytes, rest];
}
const number = (field, value) => [...varint(field * 8), ...varint(value)];
const bytes = (field, content) => [...varint(field * 8 + 2), ...varint(content.length), ...content];
const text = (field, value) => bytes(field, [...new TextEncoder().encode(value)]);

/** ValueInfoProto of a float32 tensor. */
const value = (name, shape) => {
  const dimensions = shape.flatMap((length) => bytes(1, number(1, length)));
  return [...text(1, name), ...bytes(2, bytes(1, [...number(1, 1), ...bytes(2, dimensions)]))];
};

/** AttributeProto of a list of integers (type 7, INTS). */
const integers = (name, list) => [
  ...text(1, name),
  ...list.flatMap((item) => number(8, item)),
  ...number(20, 7),
];

/**
 * The file of a model with one node.
 * @param inputs Name to shape, in the node's order.
 */
export function onnxModel({ operator, inputs, output, attributes = {} }) {
  const node = [
    ...Object.keys(inputs).flatMap((name) => text(1, name)),
    ...text(2, "output"),
    ...text(4, operator),
    ...Object.entries(attributes).flatMap(([name, list]) => bytes(5, integers(name, list))),
  ];
  const graph = [
    ...bytes(1, node),
    ...text(2, "benchmark"),
    ...Object.entries(inputs).flatMap(([name, shape]) => bytes(11, value(name, shape))),
    ...bytes(12, value("output", output)),
  ];
  return Uint8Array.from([...number(1, 8), ...bytes(7, graph), ...bytes(8, number(2, 17))]);
}
