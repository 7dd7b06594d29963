import { describeKernel, randomHostTensor } from "../../testing/index.js";
import { groupNormKernel } from "./group-norm.js";

const inputs = (batch: number, cells: number, channels: number, contains: number[] = []) => ({
  x: randomHostTensor([batch, cells, channels], { contains, scale: 3 }),
  weight: randomHostTensor([channels], { stream: "weight" }),
  bias: randomHostTensor([channels], { stream: "bias" }),
});
const { x } = inputs(1, 5, 6);

// PyTorch's numbers, second derivatives included, are in ops/normalization.test.ts
describeKernel(groupNormKernel, {
  "no cells": { inputs: inputs(2, 0, 4), attrs: { numGroups: 2, epsilon: 1e-5 }, gradient: false },
  "no affine part": { inputs: { x }, attrs: { numGroups: 3, epsilon: 1e-3 } },
  "odd sizes, NaN": { inputs: inputs(2, 7, 9, [Number.NaN]), attrs: { numGroups: 3, epsilon: 1e-5 } },
  "cells in several parts": {
    inputs: inputs(2, 530, 10),
    attrs: { numGroups: 2, epsilon: 1e-5 },
    tolerance: { relative: 1e-4 }, // the reference sums thousands of values in another order
  },
});
