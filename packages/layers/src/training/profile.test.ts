import { memory, relu, type Tensor, tensor, useDevice, zeros } from "@ai/tensor";
import { describeEachDevice, expectNoLeak } from "@ai/tensor/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { Dropout } from "../dropout.js";
import { Linear } from "../linear.js";
import { Module } from "../module.js";
import { profile } from "./index.js";

beforeAll(() => useDevice("cpu"));

/** One layer is called twice; one gives two tensors. */
class Twice extends Module<[x: Tensor], Tensor> {
  readonly large: Linear;
  readonly back: Linear;
  readonly shared: Linear;
  readonly pair = new Pair();

  constructor(readonly size = 4) {
    super();
    this.large = new Linear(size, 8 * size);
    this.back = new Linear(8 * size, size);
    this.shared = new Linear(size, size);
  }

  protected forward(x: Tensor): Tensor {
    const wide = this.back.call(relu(this.large.call(x)));
    return this.pair.call(this.shared.call(this.shared.call(wide)))[1];
  }
}

class Pair extends Module<[x: Tensor], [Tensor, Tensor]> {
  readonly dropout = new Dropout(0.5);
  protected forward(x: Tensor): [Tensor, Tensor] {
    return [this.dropout.call(x), relu(x)];
  }
}

/** Gets an object that is no plain one: its call cannot be repeated once the tensor in it is freed. */
class State {
  constructor(readonly value: Tensor) {}
}
class Stateful extends Module<[state: State], Tensor> {
  protected forward({ value }: State): Tensor {
    return relu(value);
  }
}
class Holder extends Module<[x: Tensor], Tensor> {
  readonly inner = new Stateful();
  protected forward(x: Tensor): Tensor {
    return this.inner.call(new State(relu(x)));
  }
}

describeEachDevice("profile", () => {
  it("times each layer forward and backward, counts calls, work and bytes, and leaves nothing in memory", async () => {
    const model = new Twice();
    model.pair.training = false;
    const x = zeros([2, 4]);
    await expectNoLeak(async () => {
      const progress: number[] = [];
      const result = await profile(model, x, { repeats: 1, onProgress: ({ done }) => progress.push(done) });
      expect(progress).toEqual([1, 2, 3, 4, 5, 6, 7]);
      expect(result.rows.map(({ path, layer, calls }) => `${path} ${layer} ${calls}`)).toEqual([
        " Twice 1",
        "large Linear 1",
        "back Linear 1",
        "shared Linear 2",
        "pair Pair 1",
        "pair.dropout Dropout 1",
      ]);
      const [whole, large, , shared, pair] = result.rows;
      expect(large).toMatchObject({
        multiplyAdds: 2 * 4 * 32,
        parameterBytes: 4 * (4 * 32 + 32),
        outputBytes: 4 * 2 * 32,
      });
      expect(shared.multiplyAdds).toBe(2 * (2 * 4 * 4));
      expect(pair.outputBytes).toBe(2 * 4 * 2 * 4);
      expect(whole.parameterBytes).toBe(0);
      expect(result.rows.reduce((sum, { percent }) => sum + percent, 0)).toBeCloseTo(100, 6);
      expect(whole.forwardMilliseconds).toBe(result.forwardMilliseconds);
      expect(large.backwardMilliseconds).toBeDefined();
      expect(String(result)).toMatch(/layer +calls +forward ms +backward ms +own %/);
      expect(String(result)).toContain("\n  large: Linear");
    });
    expect([model.training, model.pair.training, model.pair.dropout.training]).toEqual([true, false, true]);
    x.dispose();
    model.dispose();
  });
});

describe("profile", () => {
  it("finds the layer that costs most, also without gradients", async () => {
    await useDevice("wasm");
    const model = new Twice(64);
    const x = zeros([512, 64]);
    const { rows, backwardMilliseconds } = await profile(model, [x], { repeats: 5, backward: false });
    expect(backwardMilliseconds).toBe(0);
    expect(rows.every((row) => row.backwardMilliseconds === undefined)).toBe(true);
    const time = (path: string) => rows.find((row) => row.path === path)?.forwardMilliseconds as number;
    expect(time("large")).toBeGreaterThan(time("pair.dropout")); // 17 million multiply-adds, and none
    x.dispose();
    model.dispose();
  });

  it("leaves out times of a call that cannot be repeated", async () => {
    await useDevice("cpu");
    const model = new Holder();
    const x = tensor([1, 2]);
    const { rows } = await profile(model, x);
    expect(rows[0].forwardMilliseconds).toBeGreaterThanOrEqual(0);
    expect(rows[1]).not.toHaveProperty("forwardMilliseconds");
    expect(String(await profile(model, x))).toMatch(/inner: Stateful +1 +– +–/);
    x.dispose();
  });

  it("refuses what it cannot use, ends when aborted, and frees all then and when the model throws", async () => {
    const model = new Twice();
    const x = zeros([2, 4]);
    model.parameters();
    const before = memory().numTensors;
    await expect(profile({} as never, x)).rejects.toThrow(/expected a module, got object/);
    await expect(profile(model, 3 as never)).rejects.toThrow(
      /a tensor or the list of what call takes, got number/,
    );
    await expect(profile(model, x, { repeats: 0 })).rejects.toThrow(/repeats of at least 1, got 0/);
    await expect(profile(model, x, { times: 2 } as never)).rejects.toThrow(/one named times/);
    const wrong = zeros([2, 3]);
    await expect(profile(model, wrong)).rejects.toThrow(/Twice.large: /);
    wrong.dispose();
    const controller = new AbortController();
    const onProgress = (): void => controller.abort(new Error("enough"));
    await expect(profile(model, x, { signal: controller.signal, onProgress })).rejects.toThrow("enough");
    expect(memory().numTensors).toBe(before);
    expect(model.training).toBe(true);
    x.dispose();
    model.dispose();
  });
});
