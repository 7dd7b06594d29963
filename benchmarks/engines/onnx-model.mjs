/** A writer for ONNX models: just enough protobuf (varints and nested messages) for the benchmarks. */
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

/** AttributeProto: a list of integers (type 7, INTS), an integer (2, INT) or a float (1, FLOAT). */
function attribute(name, content) {
  if (Array.isArray(content))
    return [...text(1, name), ...content.flatMap((item) => number(8, item)), ...number(20, 7)];
  if (Number.isInteger(content)) return [...text(1, name), ...number(3, content), ...number(20, 2)];
  return [
    ...text(1, name),
    ...varint(2 * 8 + 5),
    ...new Uint8Array(Float32Array.of(content.float).buffer),
    ...number(20, 1),
  ];
}

/** NodeProto. */
const nodeOf = ({ operator, inputs, output, attributes = {} }) => [
  ...inputs.flatMap((name) => text(1, name)),
  ...text(2, output),
  ...text(4, operator),
  ...Object.entries(attributes).flatMap(([name, content]) => bytes(5, attribute(name, content))),
];

/** TensorProto with raw data: float32 (1) or int64 (7). The data are one chunk, so that megabytes are not spread. */
function tensorHeader(name, { shape, values }) {
  const isFloat = values instanceof Float32Array;
  const raw = isFloat ? values : BigInt64Array.from(values, BigInt);
  const header = [
    ...shape.flatMap((length) => number(1, length)),
    ...number(2, isFloat ? 1 : 7),
    ...text(8, name),
    ...varint(9 * 8 + 2),
    ...varint(raw.byteLength),
  ];
  return { header, raw: new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength) };
}

/**
 * The file of a model.
 * @param nodes In order: `{ operator, inputs, output, attributes }` with names of values.
 * @param inputs Name to shape.
 * @param constants Name to `{ shape, values }`: a Float32Array, or a list of integers for int64.
 * @param output Name and shape of the result.
 */
export function onnxGraph({ nodes, inputs, constants = {}, output }) {
  const chunks = [
    Uint8Array.from([...nodes.flatMap((node) => bytes(1, nodeOf(node))), ...text(2, "benchmark")]),
  ];
  for (const [name, constant] of Object.entries(constants)) {
    const { header, raw } = tensorHeader(name, constant);
    const prefix = [...varint(5 * 8 + 2), ...varint(header.length + raw.length), ...header];
    chunks.push(Uint8Array.from(prefix), raw);
  }
  chunks.push(
    Uint8Array.from([
      ...Object.entries(inputs).flatMap(([name, shape]) => bytes(11, value(name, shape))),
      ...bytes(12, value(output.name, output.shape)),
    ]),
  );
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  chunks.unshift(Uint8Array.from([...number(1, 8), ...varint(7 * 8 + 2), ...varint(length)]));
  chunks.push(Uint8Array.from(bytes(8, number(2, 17))));
  return new Uint8Array(Buffer.concat(chunks));
}
