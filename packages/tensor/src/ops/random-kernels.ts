import {
  bernoulliWasm,
  randomIntegerWasm,
  randomNormalWasm,
  randomUniformWasm,
} from "../backends/wasm/ops/random.js";
import { defineKernel } from "../kernels/define-kernel.js";
import { boxMuller, type StreamPosition, unitInterval, wordsFrom } from "../philox.js";
import type { RandomGenerator } from "../random.js";
import { sizeOf } from "../shape.js";
import { fromValues } from "../tensor.js";

/** Where the words of a random tensor begin: element `i` takes the `i`-th from there. */
export type RandomAttributes = { shape: number[]; position: StreamPosition };

export type BernoulliAttributes = RandomAttributes & { dtype: "float32" | "bool"; probability: number };

export type UniformAttributes = RandomAttributes & { min: number; max: number };

export type NormalAttributes = RandomAttributes & { mean: number; standardDeviation: number };

/** The generator moves on by as many words as were drawn: some are passed over. */
export type IntegerAttributes = { shape: number[]; min: number; max: number; generator: RandomGenerator };

/** → `shape` of `dtype`: 1 with the given probability, else 0. */
export const bernoulliKernel = /* @__PURE__ */ defineKernel<Record<never, never>, BernoulliAttributes>({
  name: "Bernoulli",
  reference: (_, { shape, dtype, probability, position }) => {
    const words = wordsFrom(position, sizeOf(shape));
    const values = dtype === "bool" ? new Uint8Array(words.length) : new Float32Array(words.length);
    for (let i = 0; i < values.length; i++) values[i] = unitInterval(words[i]) < probability ? 1 : 0;
    return fromValues(values, shape, dtype);
  },
  implementations: { wasm: bernoulliWasm },
  gradient: () => ({}),
});

/** → `shape` float32 in [min, max). */
export const randomUniformKernel = /* @__PURE__ */ defineKernel<Record<never, never>, UniformAttributes>({
  name: "RandomUniform",
  reference: (_, { shape, min, max, position }) => {
    const words = wordsFrom(position, sizeOf(shape));
    const values = new Float32Array(words.length);
    for (let i = 0; i < values.length; i++) {
      values[i] = min + (max - min) * unitInterval(words[i]);
      if (values[i] >= max) values[i] = min; // rounding to float32 can reach max, which is excluded
    }
    return fromValues(values, shape, "float32");
  },
  implementations: { wasm: randomUniformWasm },
  gradient: () => ({}),
});

/** → `shape` float32; elements `2i` and `2i + 1` take the two words of a pair. */
export const randomNormalKernel = /* @__PURE__ */ defineKernel<Record<never, never>, NormalAttributes>({
  name: "RandomNormal",
  reference: (_, { shape, mean, standardDeviation, position }) => {
    const values = new Float32Array(sizeOf(shape));
    const words = wordsFrom(position, 2 * Math.ceil(values.length / 2));
    for (let i = 0; i < values.length; i += 2) {
      const [first, second] = boxMuller(words[i], words[i + 1]);
      values[i] = mean + standardDeviation * first;
      if (i + 1 < values.length) values[i + 1] = mean + standardDeviation * second;
    }
    return fromValues(values, shape, "float32");
  },
  implementations: { wasm: randomNormalWasm },
  gradient: () => ({}),
});

/** → `shape` int32 in [min, max). */
export const randomIntegerKernel = /* @__PURE__ */ defineKernel<Record<never, never>, IntegerAttributes>({
  name: "RandomInteger",
  reference: (_, { shape, min, max, generator }) => {
    const values = new Int32Array(sizeOf(shape));
    for (let i = 0; i < values.length; i++) values[i] = generator.integer(min, max);
    return fromValues(values, shape, "int32");
  },
  implementations: { wasm: randomIntegerWasm },
  gradient: () => ({}),
});
