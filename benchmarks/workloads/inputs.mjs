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
