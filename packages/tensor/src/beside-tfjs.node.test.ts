import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { TEST_DEVICES, whyAbsent } from "./testing/devices.js";
import { runInNode } from "./testing/run-in-node.js";

/** tfjs's own gradients, as its users get them; tfjs-core in Node registers none. */
const registerGradients = fileURLToPath(
  new URL("../node_modules/@tensorflow/tfjs-core/dist/register_all_gradients.js", import.meta.url),
);

const SET_UP = {
  cpu: `
    await import("@tensorflow/tfjs-backend-cpu");
    await tf.setBackend("cpu");`,
  webgpu: `
    const { create, globals } = await import("webgpu");
    Object.assign(globalThis, globals);
    Object.defineProperty(globalThis, "navigator", { value: { userAgent: "test", gpu: create([]) }, configurable: true, writable: true });
    await import("@tensorflow/tfjs-backend-webgpu");
    tf.env().set("WEBGPU_MATMUL_PROGRAM_TYPE", 3);
    await tf.setBackend("webgpu");`,
};

/** What a user of tfjs computes: forward, gradients of tfjs's making (its mistakes too), a training loop, memory. */
const USER_CODE = `
  const x = tf.tensor2d([0.5, -1.25, 3, 3, 0.1, -0.7], [2, 3]);
  const y = tf.tensor2d([1, 2, -3, 0.25, 7, 1e-3], [3, 2]);
  const square = tf.tensor2d([1, 2, 3, 5], [2, 2]);
  const keep = [];
  const bits = async (name, t) => {
    keep.push(name + ":" + t.shape + ":" + Array.from(new Uint32Array(new Float32Array(await t.data()).buffer)));
    t.dispose();
  };
  async function run(between) {
    await bits("matMul", tf.matMul(x, y));
    await between();
    await bits("softmax", tf.softmax(x));
    await bits("cumsum", tf.cumsum(x, 1, true));
    await bits("sum", tf.sum(x, 0));
    await bits("conv", tf.conv2d(tf.reshape(x, [1, 2, 3, 1]), tf.ones([2, 2, 1, 1]), 1, "same"));
    await bits("erf", tf.erf(x));
    await bits("relu6", tf.relu6(tf.tensor1d([NaN, 7, -1])));
    await bits("floorDiv", tf.floorDiv(tf.tensor1d([7, -7], "int32"), tf.tensor1d([2, 2], "int32")));
    const gradients = tf.grads((a, b) => tf.sum(tf.square(tf.tanh(tf.matMul(a, b)))));
    for (const g of gradients([x, y])) await bits("grads", g);
    await between();
    await bits("max ties", tf.grad((a) => tf.max(a))(tf.tensor1d([3, 3, 1])));
    await bits("abs at 0", tf.grad((a) => tf.sum(tf.abs(a)))(tf.tensor1d([0, 2])));
    await bits("cumsum gradient", tf.grad((a) => tf.sum(tf.mul(tf.cumsum(a, 0), square)))(square));
    await bits("custom", tf.grad((a) => tf.sum(tf.customGrad((v, save) => { save([v]); return { value: tf.square(v), gradFunc: (dy, [s]) => tf.mul(dy, s) }; })(a)))(x));
    let missing = "";
    try { tf.grad((a) => tf.sum(tf.where(tf.greater(a, 0), a, tf.zerosLike(a))))(x); } catch (error) { missing = error.message; }
    keep.push("missing gradient:" + missing);
    await between();
    const w = tf.variable(tf.tensor2d([0.1, 0.2, 0.3], [3, 1]));
    const optimizer = tf.train.adam(0.1);
    for (let step = 0; step < 3; step++) {
      const loss = optimizer.minimize(() => tf.mean(tf.square(tf.sub(tf.matMul(x, w), 1))), true);
      await bits("loss", loss);
      await between();
    }
    await bits("weights", tf.clone(w));
    keep.push("backend:" + tf.getBackend());
  }
`;

/** Ours, loaded late and used between the user's steps: ops, gradients, errors, a device switch to the same device. */
const withOurs = (device: string): string => `
  const ours = await import("@ai/tensor");
  const between = async () => {
    await ours.useDevice("${device}", { allowSoftwareAdapter: true });
    const a = ours.tensor([[1, 2], [2, 2]]);
    const value = ours.max(a);
    const [gradient] = ours.grad(() => ours.sum(ours.max(a, { axes: 1 })), [a]);
    await ours.read(value);
    if (String([...await ours.read(gradient)]) !== "0,1,0.5,0.5") throw new Error("ours is wrong: " + [...await ours.read(gradient)]);
    const z = ours.relu(ours.matMul(a, ours.cumsum(a, { axis: 0 })));
    await ours.read(z);
    ours.dispose([a, value, gradient, z]);
    try { ours.add(ours.ones([2]), ours.ones([3])); } catch {}
  };`;

async function results(device: keyof typeof SET_UP, beside: boolean): Promise<string[]> {
  const { stdout, stderr, code } = await runInNode(`
    import * as tf from "@tensorflow/tfjs-core";
    import ${JSON.stringify(registerGradients)};
    ${SET_UP[device]}
    ${beside ? withOurs(device) : "const between = async () => {};"}
    ${USER_CODE}
    await run(between);
    console.log("RESULT" + JSON.stringify(keep));
  `);
  const line = stdout.split("\n").find((text) => text.startsWith("RESULT"));
  if (code !== 0 || line === undefined)
    throw new Error(`the user's program failed (${code}):\n${stdout}\n${stderr}`);
  return JSON.parse(line.slice("RESULT".length)) as string[];
}

describe("a user's own tfjs code beside ours", () => {
  for (const device of ["cpu", "webgpu"] as const) {
    const absent = TEST_DEVICES.includes(device) ? undefined : "not among the devices of this run";
    it.skipIf(absent !== undefined)(
      `gives the same bits with and without us (${device})`,
      async (context) => {
        const reason = await whyAbsent(device);
        if (reason !== undefined) context.skip(reason);
        const without = await results(device, false);
        const beside = await results(device, true);
        expect(without.length).toBeGreaterThan(18);
        expect(without.find((line) => line.startsWith("missing gradient:"))).toContain("Greater");
        expect(beside).toEqual(without);
      },
    );
  }
});
