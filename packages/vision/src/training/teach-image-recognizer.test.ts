import { InputError, memory } from "@ai/tensor";
import { expect, it } from "vitest";
import { loadImageRecognizer } from "../tasks/image-recognition.js";
import { classifierFiles } from "../testing/classifier-case.js";
import { noisyPicture } from "../testing/recognizer-case.js";
import type { PictureSet } from "./picture-set.js";
import { type TaughtImageRecognizer, teachImageRecognizer } from "./teach-image-recognizer.js";

const from = await classifierFiles();
const load = { device: "cpu" } as const;
const things = (count: number, seed: number): PictureSet => ({
  length: count,
  classes: ["cup", "pen", "key"],
  get: (index) => ({ picture: noisyPicture(index % 3, seed + index), label: index % 3 }),
});
const data = things(24, 100);

it("teaches a few of each class, tests with the others, and gives a recognizer that knows", async () => {
  const told: string[] = [];
  for (const method of ["prototype", "nearest"] as const) {
    const taught = await teachImageRecognizer(data, {
      from,
      load,
      method,
      examples: 4,
      onProgress: ({ phase, done, total }) => told.push(`${phase} ${done} of ${total}`),
    });
    const { recognize, ...measured } = taught;
    expect(measured).toMatchObject({
      accuracy: 1,
      classes: ["cup", "pen", "key"].map((label) => ({ label, examples: 4, tested: 4, right: 4 })),
      calibration: { accuracy: 1, accepted: 1, refused: 1 },
    });
    expect((await recognize(noisyPicture(1, 9))).label).toBe("pen");
    const gallery = await recognize.toBytes();
    await recognize.dispose();
    const again = await loadImageRecognizer(from, { ...load, gallery });
    expect((await again(noisyPicture(2, 9))).label).toBe("key");
    await again.dispose();
  }
  expect(told.slice(0, 2)).toEqual(["teach 1 of 12", "teach 2 of 12"]);
  expect(told.at(-1)).toBe("test 12 of 12");
});

it("tests with other pictures where there are some, and with none where all are examples", async () => {
  const measuredOf = async ({ recognize, ...measured }: TaughtImageRecognizer) => {
    await recognize.dispose();
    return measured;
  };
  // labels of the validation set that are all wrong
  const wrong: PictureSet = {
    ...things(9, 500),
    get: (index) => ({ picture: noisyPicture(index % 3, index), label: (index + 1) % 3 }),
  };
  const validated = await measuredOf(await teachImageRecognizer(data, { from, load, validation: wrong }));
  expect(validated).toMatchObject({ accuracy: 0, unknown: 0 });
  const single = await measuredOf(await teachImageRecognizer(things(3, 1), { from, load }));
  expect(single).toMatchObject({ accuracy: undefined, unknown: undefined, calibration: undefined });
});

it("ends with its signal and frees all, and refuses what it cannot be taught", async () => {
  const before = memory().numTensors;
  const reason = new Error("enough");
  const controller = new AbortController();
  const run = teachImageRecognizer(data, {
    from,
    load,
    signal: controller.signal,
    onProgress: ({ done }) => done === 3 && controller.abort(reason),
  });
  await expect(run).rejects.toBe(reason);
  const cases: [PictureSet, object, RegExp][] = [
    [data, { from: undefined }, /expected from/],
    [data, { shots: 1 }, /got one named shots/],
    [data, { examples: 0 }, /examples as an integer/],
    [data, { method: "far" }, /method to be nearest, prototype/],
    [data, { neighbors: 2 }, /neighbors with nearest/],
    [{ ...data, classes: ["cup", "pen", "key", "hat"] }, {}, /a picture of each class, got none of hat/],
    [{ ...data, get: (index: number) => ({ ...data.get(index), label: 7 }) }, {}, /label in \[0, 3\), got 7/],
  ];
  for (const [set, options, message] of cases) {
    const failing = teachImageRecognizer(set, { from, load, ...options });
    await expect(failing).rejects.toThrow(InputError);
    await expect(failing).rejects.toThrow(message);
  }
  expect(memory().numTensors).toBe(before);
});
