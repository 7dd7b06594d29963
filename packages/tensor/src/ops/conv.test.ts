import { expect, it } from "vitest";
import {
  type ConvOptions,
  type ConvTransposeOptions,
  conv1d,
  conv2d,
  conv3d,
  convTranspose1d,
  convTranspose2d,
  convTranspose3d,
  dispose,
  grad,
  read,
  sum,
  type Tensor,
  tensor,
  zeros,
} from "../index.js";
import { describeEachDevice, expectFixtureCase, expectNoLeak, loadFixture } from "../testing/index.js";

const fixture = await loadFixture(new URL("../../fixtures/ops-conv.safetensors", import.meta.url));

type Convolution = (x: Tensor, filter: Tensor, options: ConvOptions & ConvTransposeOptions) => Tensor;
const OPS: Record<string, Convolution> = {
  conv1d,
  conv2d,
  conv3d,
  convTranspose1d,
  convTranspose2d,
  convTranspose3d,
};

const CASES: Record<string, ConvOptions | ConvTransposeOptions> = {
  "conv1d/plain": {},
  "conv1d/strided": { stride: 2, padding: 1 },
  "conv1d/dilated": { dilation: 3, padding: [2] },
  "conv1d/depthwise": { groups: 4, padding: 1 },
  "conv1d/same": { padding: "same" },
  "conv2d/plain": { padding: "valid" },
  "conv2d/pointwise": {},
  "conv2d/wholeImage": {},
  "conv2d/strided": { stride: [2, 3], padding: [1, 2] },
  "conv2d/slack": { stride: 3 },
  "conv2d/pairs": {
    padding: [
      [1, 0],
      [0, 2],
    ],
  },
  "conv2d/same": { padding: "same" },
  "conv2d/sameDilated": { padding: "same", dilation: [1, 2] },
  "conv2d/dilated": { dilation: 2, padding: 2 },
  "conv2d/dilatedStrided": { dilation: [2, 3], stride: [2, 1], padding: [5, 1] },
  "conv2d/widePadding": { padding: 4, dilation: 2 },
  "conv2d/groups": { groups: 2, padding: 1 },
  "conv2d/groupsDilated": { groups: 3, dilation: 2 },
  "conv2d/depthwise": { groups: 8, padding: 1 },
  "conv2d/depthwiseStrided": { groups: 3, stride: 2, padding: 1 },
  "conv2d/depthwiseDilated": { groups: 3, stride: 2, dilation: 2, padding: [2, 1] },
  "conv2d/depthwiseMultiplier": { groups: 3, padding: 1 },
  "conv2d/manyChannels": { padding: 1 },
  "conv3d/plain": {},
  "conv3d/options": { stride: [2, 1, 2], padding: [1, 0, 1], dilation: [2, 1, 1] },
  "conv3d/depthwise": { groups: 2, padding: 1 },
  "convTranspose1d/plain": { stride: 2, padding: 1, outputPadding: 1 },
  "convTranspose2d/plain": {},
  "convTranspose2d/strided": { stride: [2, 3], padding: [1, 0], outputPadding: [1, 2] },
  "convTranspose2d/dilated": { stride: 2, dilation: [2, 3], padding: 1, outputPadding: [1, 2] },
  "convTranspose2d/beyond": { stride: 3, outputPadding: 2 },
  "convTranspose2d/groups": { groups: 2, stride: 2 },
  "convTranspose2d/depthwise": { groups: 3, stride: 2, padding: 1 },
  "convTranspose3d/plain": { stride: [2, 1, 2], padding: [1, 0, 1], outputPadding: [1, 0, 1] },
  "convTranspose3d/dilated": { stride: [3, 1, 1], dilation: [2, 1, 2], outputPadding: [2, 0, 1] },
};

function run(name: string, [x, filter, bias]: Tensor[]): Tensor {
  const options = (bias === undefined ? CASES[name] : { ...CASES[name], bias }) as ConvOptions &
    ConvTransposeOptions;
  return OPS[name.split("/")[0]](x, filter, options);
}

describeEachDevice("convolution", () => {
  for (const name of Object.keys(CASES))
    it(`${name} equals PyTorch, second derivatives included`, () =>
      expectFixtureCase(fixture, name, (inputs) => run(name, inputs)));

  it("takes an empty batch and no channels", async () => {
    const x = zeros([0, 4, 4, 2]);
    const filter = zeros([3, 3, 2, 5]);
    const [dx, dFilter] = grad((a, b) => sum(conv2d(a, b, { padding: 1 })), [x, filter]);
    expect(dx.shape).toEqual([0, 4, 4, 2]);
    await expect(dFilter).toBeCloseToTensor(filter);
    const depthless = conv2d(zeros([1, 3, 3, 0]), zeros([3, 3, 0, 2]), { bias: tensor([1, 2]) });
    expect([...(await read(depthless))]).toEqual([1, 2]);
    dispose([x, filter, dx, dFilter, depthless]);
  });

  it("leaks nothing", async () => {
    for (const name of [
      "conv2d/plain",
      "conv2d/dilatedStrided",
      "conv2d/groups",
      "conv3d/options",
      "convTranspose2d/beyond",
    ]) {
      const inputs = [0, 1].map((n) => fixture.tensor(`${name}/input${n}`));
      await expectNoLeak(() => dispose(grad((...values) => sum(run(name, values)), inputs)));
      dispose(inputs);
    }
  });

  it("refuses what does not fit", () => {
    const x = zeros([1, 4, 4, 2]);
    const filter = zeros([3, 3, 2, 4]);
    expect(() => conv2d(zeros([4, 4, 2]), filter)).toThrow(/conv2d: expected x and filter of rank 4/);
    expect(() => conv2d(zeros([1, 4, 4, 2], "int32"), filter)).toThrow(/expected float32, got int32/);
    expect(() => conv2d(zeros([1, 4, 4, 3]), filter)).toThrow(/expected 2 input channels/);
    expect(() => conv2d(zeros([1, 4, 4, 6]), filter, { groups: 3 })).toThrow(/channels that 3 groups divide/);
    expect(() => conv2d(x, filter, { groups: 0 })).toThrow(/groups of at least 1/);
    expect(() => conv2d(x, filter, { stride: 0 })).toThrow(/stride as an integer of at least 1/);
    expect(() => conv2d(x, filter, { padding: [1, 1, 1] })).toThrow(/padding as an integer of at least 0/);
    expect(() => conv2d(x, filter, { padding: [[1, -1], [0, 0]] })).toThrow(/pairs \[before, after\]/); // biome-ignore format: one row an axis
    expect(() => conv2d(x, filter, { padding: "same", stride: 2 })).toThrow(/stride 1 with padding "same"/);
    expect(() => conv2d(x, filter, { padding: "full" as never })).toThrow(
      /padding "valid", "same" or numbers/,
    );
    expect(() => conv2d(x, filter, { dilation: 2 })).toThrow(/filter no longer than the padded input/);
    expect(() => conv2d(x, filter, { bias: zeros([3]) })).toThrow(/bias \[4\]/);
    const upward = zeros([3, 3, 4, 2]);
    expect(() => convTranspose2d(x, upward, { outputPadding: 1 })).toThrow(
      /outputPadding below stride or dilation/,
    );
    expect(() => convTranspose2d(x, upward, { padding: "same" as never })).toThrow(/padding in numbers/);
    expect(() => convTranspose2d(x, upward, { padding: 3 })).toThrow(/a result with cells/);
    dispose([x, filter, upward]);
  });
});
