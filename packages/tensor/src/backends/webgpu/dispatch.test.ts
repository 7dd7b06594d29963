import type { KernelBackend } from "@tensorflow/tfjs-core";
import { afterEach, describe, expect, it } from "vitest";
import { engine } from "../../engine.js";
import * as ops from "../../index.js";
import { add, dispose, read, type Tensor, tensor, tidy, zeros } from "../../index.js";
import { fromValues } from "../../tensor.js";
import { describeEachDevice, expectNoLeak, TEST_DEVICES } from "../../testing/index.js";
import { debugGpuErrors, dispatch, f32, type GpuDispatch, gpuMemory, i32, trimPool, u32 } from "./index.js";

function run(spec: GpuDispatch): Tensor[] {
  const backend = engine().registry.webgpu as KernelBackend;
  return dispatch(backend, spec).map((info) => engine().makeTensorFromTensorInfo(info));
}

describe("dispatch", () => {
  describeEachDevice("", tests, ["webgpu"]);
  it("is for webgpu alone", () => expect(TEST_DEVICES.length).toBeGreaterThan(0)); // a run without webgpu has a test too
});

function tests(): void {
  afterEach(() => debugGpuErrors(false));

  it("writes several outputs and an in-place tensor, with uniforms of each type", async () => {
    const x = tensor([1, 2, 3]);
    const counts = tensor(new Int32Array([16777217, -2, 2147483647]));
    const total = add(zeros([3]), 10);
    const [scaled, shifted] = run({
      name: "scaleAndShift",
      inputs: { x, counts: { tensor: counts, element: "u32" } },
      inPlace: { total },
      outputs: { scaled: { shape: [3], dtype: "float32" }, shifted: { shape: [3], dtype: "int32" } },
      uniforms: { scale: f32(0.5), offset: i32(-1), bits: u32(1) },
      threads: 3,
      body: () => `
        scaled[index] = x[index] * uniforms.scale;
        shifted[index] = bitcast<i32>(counts[index] << uniforms.bits) + uniforms.offset;
        total[index] += x[index];`,
    });
    expect([...(await read(scaled))]).toEqual([0.5, 1, 1.5]);
    expect([...(await read(shifted))]).toEqual([33554433, -5, -3]);
    expect([...(await read(total))]).toEqual([11, 12, 13]);
    dispose([x, counts, total, scaled, shifted]);
  });

  it("lets a workgroup work together, and folds more groups than one axis holds", async () => {
    const rows = 70_000;
    const x = zeros([rows], "float32", 2);
    const [sums] = run({
      name: "groupSum",
      inputs: { x },
      outputs: { sums: { shape: [rows], dtype: "float32" } },
      groups: rows,
      workgroupSize: 4,
      declarations: () => "var<workgroup> shared_: array<f32, 4>;",
      body: () => `
        shared_[lane] = x[group] * f32(lane);
        workgroupBarrier();
        if (lane == 0u) { sums[group] = shared_[0] + shared_[1] + shared_[2] + shared_[3]; }`,
    });
    const values = await read(sums);
    expect(values.every((value) => value === 12)).toBe(true);
    dispose([x, sums]);
  });

  it("gives empty outputs without a dispatch and reads empty inputs", async () => {
    const empty = zeros([0, 2]);
    const [none] = run({
      name: "nothing",
      inputs: { empty },
      outputs: { none: { shape: [0], dtype: "int32" } },
      threads: 0,
      body: () => "none[index] = i32(empty[index]);",
    });
    expect(await read(none)).toEqual(new Int32Array(0));
    const [seven] = run({
      name: "ignoreEmpty",
      inputs: { empty },
      outputs: { seven: { shape: [1], dtype: "float32" } },
      threads: 1,
      body: () => "if (index > 4u) { seven[index] = empty[0]; } else { seven[index] = 7.0; }",
    });
    expect([...(await read(seven))]).toEqual([7]);
    dispose([empty, none, seven]);
  });

  it("rejects the next read after an invalid kernel, naming the op, and only that read", async () => {
    const x = tensor([1, 2]);
    const [bad] = run({
      name: "doesNotCompile",
      inputs: { x },
      outputs: { y: { shape: [2], dtype: "float32" } },
      threads: 2,
      body: () => "y[index] = noSuchFunction(x[index]);",
    });
    await expect(read(bad)).rejects.toThrow(/^doesNotCompile: expected a valid GPU command/);
    const fine = add(x, 1);
    expect([...(await read(fine))]).toEqual([2, 3]);
    dispose([x, bad, fine]);
  });

  it("keeps what was uploaded beside an invalid kernel, into a buffer that was used before", async () => {
    const used = [11, 12].map((value) => add(tensor([value, value, value]), 0));
    await Promise.all(used.map((value) => read(value)));
    dispose(used);
    const x = tensor([1, 2, 3]);
    const [bad] = run({
      name: "doesNotCompileEither",
      inputs: { x },
      outputs: { y: { shape: [3], dtype: "float32" } },
      threads: 3,
      body: () => "y[index] = noSuchFunction(x[index]);",
    });
    await expect(read(bad)).rejects.toThrow(/^doesNotCompileEither/);
    const doubled = add(x, x);
    expect([...(await read(doubled))]).toEqual([2, 4, 6]);
    dispose([x, bad, doubled]);
  });

  it("rejects tfjs's own reads too", async () => {
    const x = tensor([1, 2]);
    const [bad] = run({
      name: "doesNotCompileEither",
      inputs: { x },
      outputs: { y: { shape: [2], dtype: "float32" } },
      threads: 2,
      body: () => "y[index] = alsoNoFunction(x[index]);",
    });
    await expect(bad.data()).rejects.toThrow(/^doesNotCompileEither: /);
    dispose([x, bad]);
  });

  it("names the op of an index out of range at the next read, then is clean", async () => {
    const x = tensor([10, 20, 30]);
    const pick = (indices: Tensor): Tensor =>
      run({
        name: "pick",
        inputs: { x, indices },
        outputs: { y: { shape: indices.shape, dtype: "float32" } },
        threads: indices.size,
        checksIndices: true,
        body: () => "y[index] = x[checkedIndex(indices[index], 3)];",
      })[0];
    const good = tensor([2, 0], [2], "int32");
    const wrong = tensor([1, 3], [2], "int32");
    const first = pick(good);
    expect([...(await read(first))]).toEqual([30, 10]);
    const second = pick(wrong);
    const unrelated = add(x, 1);
    await expect(read(unrelated)).rejects.toThrow(
      "pick: expected indices in [0, 3), got 3; check the indices or the table's size",
    );
    expect([...(await read(unrelated))]).toEqual([11, 21, 31]);
    dispose([x, good, wrong, first, second, unrelated]);
  });

  it("refuses data that are read and written by one kernel", async () => {
    const x = tensor([1]);
    const attempt = (): Tensor[] =>
      run({ name: "self", inputs: { x }, inPlace: { y: x }, threads: 1, body: () => "y[index] = x[index];" });
    expect(attempt).toThrow("self: expected y and x to be different data, got the same; copy one of them");
    dispose(x);
  });

  it("finds two kernels under one variant while debugging", async () => {
    debugGpuErrors(true);
    const x = tensor([1]);
    const scale = (factor: number): Tensor =>
      run({
        name: "bakedIn",
        inputs: { x },
        outputs: { y: { shape: [1], dtype: "float32" } },
        threads: 1,
        body: () => `y[index] = x[index] * ${factor}.0;`,
      })[0];
    const y = scale(2);
    expect([...(await read(y))]).toEqual([2]);
    expect(() => scale(3)).toThrow(/^bakedIn: expected one WGSL text a variant, got two/);
    dispose([x, y]);
  });

  it("frees what kernels of several dispatches use in between", async () => {
    const backend = engine().registry.webgpu as KernelBackend;
    const x = ops.reshape(ops.arange(0, 20_000, 1, "float32"), [1, 100, 200, 1]);
    const lines = ops.reshape(x, [200, 100]);
    const rows = ops.arange(0, 3000, 1);
    const compute = (): void =>
      tidy(() => {
        ops.mean(x);
        ops.argsort(lines, { axis: 1 });
        ops.scatterNd(ops.reshape(rows, [3000, 1]), ops.ones([3000]), [3000]);
        ops.scatterAdd(ops.zeros([3000]), rows, ops.ones([3000]), { axis: 0 });
        ops.interpolate(x, { size: [7, 9], mode: "bilinear" });
        ops.grad((image) => ops.sum(ops.maxPool2d(image, { kernelSize: 2 })), [x]);
        ops.concat([lines, lines], { axis: 1 });
      });
    compute();
    await read(x);
    const before = backend.numDataIds();
    compute();
    await read(x);
    expect(backend.numDataIds()).toBe(before);
    dispose([x, lines, rows]);
  });

  it("uploads numbers from shared memory and from memory that can grow", async () => {
    const Growing = ArrayBuffer as unknown as new (size: number, options: object) => ArrayBuffer;
    const lists = [new Float32Array(new Growing(12, { maxByteLength: 24 }))];
    // a page that is not isolated has none
    if (typeof SharedArrayBuffer !== "undefined")
      lists.push(new Float32Array(new SharedArrayBuffer(12)) as Float32Array<never>);
    for (const list of lists) {
      list.fill(3);
      const x = fromValues(list, [3], "float32"); // the very list, as tfjs's own tensors have it
      const doubled = add(x, x);
      expect([...(await read(doubled))]).toEqual([6, 6, 6]);
      dispose([x, doubled]);
    }
  });

  it("keeps uniforms by what they hold, -0 beside 0, and lets all go at once under work that waits", async () => {
    const x = tensor([1]);
    const divided = (uniform: number): Tensor => {
      const [y] = run({
        name: "bits",
        inputs: { x },
        outputs: { y: { shape: [1], dtype: "float32", element: "u32" } },
        uniforms: { uniform: f32(uniform) },
        threads: 1,
        body: () =>
          "y[0] = bitcast<u32>(f32(bitcast<i32>(uniforms.uniform) >> 31) + x[0] + uniforms.uniform);",
      });
      return y;
    };
    const signs = [0, -0, 0].map(divided);
    expect(await Promise.all(signs.map(async (sign) => (await read(sign))[0]))).toEqual([1, 0, 1]);
    const waiting = [7, 8].map(divided);
    for (let step = 0; step < 4200; step++) divided(100 + step).dispose();
    const after = [8, 7].map(divided);
    const values = await Promise.all([...waiting, ...after].map(async (value) => (await read(value))[0]));
    expect(values).toEqual([8, 9, 9, 8]);
    dispose([x, ...signs, ...waiting, ...after]);
  });

  it("leaks nothing and gives pooled memory back", async () => {
    await expectNoLeak(async () => {
      const x = tensor([1, 2, 3]);
      const [y] = run({
        name: "copy",
        inputs: { x },
        outputs: { y: { shape: [3], dtype: "float32" } },
        threads: 3,
        body: () => "y[index] = x[index];",
      });
      await read(y);
      dispose([x, y]);
    });
    trimPool();
    const before = gpuMemory();
    for (let step = 0; step < 30; step++) tidy(() => void add(zeros([1_000_000 + step]), 1));
    const { usedBytes, pooledBytes } = gpuMemory();
    expect(usedBytes + pooledBytes).toBeLessThan(160 * 2 ** 20); // 240 MB were asked for, 8 MB are in use at once
    trimPool();
    const kept = add(zeros([4]), 1);
    expect([...(await read(kept))]).toEqual([1, 1, 1, 1]);
    trimPool();
    expect(gpuMemory().pooledBytes).toBe(0);
    expect(gpuMemory().usedBytes).toBeLessThan(before.usedBytes + 2 ** 20);
    dispose(kept);
  });
}
