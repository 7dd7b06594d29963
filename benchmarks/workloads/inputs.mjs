/** Values in [-0.5, 0.5) that every engine makes alike: a 32-bit linear congruential generator (Numerical Recipes). */
export function values(length, seed) {
  const result = new Float32Array(length);
  let state = seed >>> 0;
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    result[index] = state / 4294967296 - 0.5;
  }
  return result;
}

/** What results are compared by: their sum, one value in the middle, and the size of typical values. */
export function digest(array) {
  let sum = 0;
  let squares = 0;
  for (const value of array) {
    sum += value;
    squares += value * value;
  }
  return { sum, sample: array[array.length >> 1], scale: Math.sqrt(squares / array.length) };
}

/** Shapes of the CNN of `npm start`, filters `[height, width, in, out]`, and its weights by those values. */
export function cnnWeights() {
  const shapes = {
    filter1: [3, 3, 1, 32],
    bias1: [32],
    filter2: [3, 3, 32, 64],
    bias2: [64],
    weight3: [1600, 128],
    bias3: [128],
    weight4: [128, 10],
    bias4: [10],
  };
  return Object.entries(shapes).map(([name, shape], index) => {
    const size = shape.reduce((product, length) => product * length, 1);
    const fanIn = shape.length === 1 ? 1 : size / shape.at(-1);
    const scale = shape.length === 1 ? 0 : 2 / Math.sqrt(fanIn);
    return { name, shape, values: values(size, 100 + index).map((value) => value * scale) };
  });
}

/** One batch of pictures `[batch, 28, 28, 1]` and their classes. */
export function cnnBatch(batch) {
  return {
    images: values(batch * 28 * 28, 7),
    labels: Int32Array.from({ length: batch }, (_, index) => index % 10),
  };
}

/** Sizes of the encoder that `bench bert` times. */
export const BERT = { layers: 6, dim: 384, heads: 12, hiddenDim: 1536, length: 128, epsilon: 1e-12 };

/** Weights of one encoder layer, matrices `[in, out]`. */
export function bertLayer(index) {
  const { dim, hiddenDim } = BERT;
  const matrix = (rows, columns, seed) => ({
    shape: [rows, columns],
    values: values(rows * columns, 1000 + 20 * index + seed).map((value) => value / Math.sqrt(rows / 3)),
  });
  const vector = (length, seed, offset = 0) => ({
    shape: [length],
    values: values(length, 1000 + 20 * index + seed).map((value) => offset + 0.1 * value),
  });
  return {
    query: matrix(dim, dim, 0),
    queryBias: vector(dim, 1),
    key: matrix(dim, dim, 2),
    keyBias: vector(dim, 3),
    value: matrix(dim, dim, 4),
    valueBias: vector(dim, 5),
    output: matrix(dim, dim, 6),
    outputBias: vector(dim, 7),
    norm1: vector(dim, 8, 1),
    norm1Bias: vector(dim, 9),
    up: matrix(dim, hiddenDim, 10),
    upBias: vector(hiddenDim, 11),
    down: matrix(hiddenDim, dim, 12),
    downBias: vector(dim, 13),
    norm2: vector(dim, 14, 1),
    norm2Bias: vector(dim, 15),
  };
}

/** Embedded tokens `[1, length, dim]`. */
export const bertInput = () => values(BERT.length * BERT.dim, 5);

/** Weights of an LSTM with a linear layer behind its last step, in PyTorch's layouts. */
export function lstmWeights(inputDim, hidden) {
  const scaled = (shape, seed) => ({
    shape,
    values: values(
      shape.reduce((product, length) => product * length, 1),
      seed,
    ).map((value) => (2 * value) / Math.sqrt(hidden)),
  });
  return [
    scaled([4 * hidden, inputDim], 200),
    scaled([4 * hidden, hidden], 201),
    scaled([4 * hidden], 202),
    scaled([10, hidden], 203),
    scaled([10], 204),
  ];
}
