import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readImage } from "../preprocess/read-image.js";
import { writePng } from "../preprocess/write-image.js";
import { CommandLine } from "../testing/command-line.js";

const CLASSES = ["left", "lower", "right", "upper"];
const SIDE = 16;
/** A training of a second or two. */
const QUICK = ["--size", "16", "--width", "4", "--batch-size", "16", "--device", "wasm", "--threads", "1"];

let vision: CommandLine;
beforeAll(async () => {
  vision = await CommandLine.build();
  for (const [split, count] of [
    ["train", 24],
    ["test", 6],
  ] as const)
    for (const label of CLASSES) {
      const folder = join(vision.folder, "halves", split, label);
      await mkdir(folder, { recursive: true });
      for (let index = 0; index < count; index++)
        await writeFile(join(folder, `${index}.png`), await writePng(half(label, index)));
    }
});
afterAll(() => vision.dispose());

/** A dark picture with one bright half. */
function half(label: string, index: number) {
  const data = new Uint8Array(SIDE * SIDE * 3);
  for (let at = 0; at < data.length; at++) {
    const [x, y] = [Math.floor(at / 3) % SIDE, Math.floor(at / 3 / SIDE)];
    const isBright = { left: x < 8, right: x >= 8, upper: y < 8, lower: y >= 8 }[label];
    data[at] = ((at * 37 + index * 101) % 90) + (isBright ? 140 : 0);
  }
  return { data, width: SIDE, height: SIDE, channels: 3 } as const;
}

it("trains, evaluates, classifies and explains, as people and as programs read it", async () => {
  const trained = await vision.run(
    ...["train", "classify", "halves", "--out", "models/halves", "--epochs", "3", "--json", ...QUICK],
  );
  expect(trained).toMatchObject({ code: 0 });
  expect(JSON.parse(trained.stdout)).toMatchObject({
    model: "models/halves",
    format: "folders",
    classes: CLASSES,
    pictures: { train: 96, test: 24 },
    testedOn: "test",
    device: { device: "wasm", threads: 1 },
  });
  expect((await readdir(join(vision.folder, "models/halves"))).sort()).toEqual(
    ["README.md", "config.json", "model.safetensors", "preprocessor_config.json"].sort(),
  );

  const evaluated = await vision.run("evaluate", "models/halves", "halves", "--json");
  const scores = JSON.parse(evaluated.stdout);
  expect(scores).toMatchObject({ split: "test", count: 24, top5: 1 });
  expect(scores.top1).toBe(JSON.parse(trained.stdout).scores.top1);

  const classified = await vision.run(
    ...["classify", "halves/test/left", "halves/test/upper/*.png", "--model", "models/halves", "--json"],
  );
  const reports: { file: string; classes: { label: string }[] }[] = JSON.parse(classified.stdout);
  expect(reports.map(({ file }) => file)).toContain("halves/test/upper/3.png");
  const right = reports.filter(({ file, classes }) => file.includes(`/${classes[0].label}/`)).length;
  const known = (label: string) => scores.classes.find((each: { label: string }) => each.label === label);
  expect(right).toBe(Math.round(6 * (known("left").top1 + known("upper").top1)));

  const explained = await vision.run(
    ...["explain", "halves/test/left/0.png", "--model", "models/halves", "--target", "left"],
    ...["--out", "drawn/heat.png"],
  );
  expect(explained).toMatchObject({
    code: 0,
    stdout: "halves/test/left/0.png: left by grad-cam, drawn in drawn/heat.png\n",
  });
  const drawn = await readImage(join(vision.folder, "drawn/heat.png"));
  expect([drawn.width, drawn.height]).toEqual([SIDE, SIDE]);
  expect(Buffer.from(drawn.data).equals(Buffer.from(half("left", 0).data))).toBe(false);
});

it("teaches a pretrained model other classes", async () => {
  const taught = await vision.run(
    ...["train", "classify", "halves", "--from", "models/halves", "--epochs", "2", "--frozen-epochs", "1"],
    ...["--out", "models/taught", "--float16", "--json"],
  );
  expect(taught).toMatchObject({ code: 0 });
  expect(JSON.parse(taught.stdout)).toMatchObject({ model: "models/taught", scores: { top5: 1 } });
  const wrong = await vision.run("train", "classify", "halves", "--from", "models/halves", "--size", "8");
  expect(wrong).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^error: --size: expected it without --from/),
  });
});

it("recognizes what it was taught by a few examples", async () => {
  const model = ["--model", "models/halves", "--json"];
  const taught = await vision.run("teach", "halves", "--gallery", "halves.safetensors", ...model);
  expect(JSON.parse(taught.stdout)).toMatchObject({
    gallery: "halves.safetensors",
    classes: CLASSES.map((label) => ({ label, examples: 24, tested: 6 })),
    calibration: { accuracy: expect.any(Number) },
  });
  const found = await vision.run(
    ...["recognize", "halves/test/right/1.png", "--gallery", "halves.safetensors", "--top-k", "2", ...model],
  );
  expect(JSON.parse(found.stdout)).toMatchObject([
    { file: "halves/test/right/1.png", candidates: [{ label: "right" }, {}] },
  ]);
  const again = await vision.run("teach", "halves", "--gallery", "halves.safetensors", ...model);
  expect(again).toMatchObject({ code: 1, stderr: expect.stringMatching(/replace it with --overwrite/) });
});

it("trains, evaluates and uses a detector, drawing what it found", async () => {
  const voc = join(vision.folder, "voc");
  for (const folder of ["Annotations", "JPEGImages", "ImageSets/Main"])
    await mkdir(join(voc, folder), { recursive: true });
  const names = Array.from({ length: 6 }, (_, index) => `p${index}`);
  await writeFile(join(voc, "ImageSets/Main/train.txt"), names.slice(0, 4).join("\n"));
  await writeFile(join(voc, "ImageSets/Main/test.txt"), names.slice(4).join("\n"));
  for (const name of names) {
    await writeFile(
      join(voc, "JPEGImages", `${name}.png`),
      await writePng(half("left", names.indexOf(name))),
    );
    const box = "<xmin>1</xmin><ymin>1</ymin><xmax>8</xmax><ymax>16</ymax>";
    await writeFile(
      join(voc, "Annotations", `${name}.xml`),
      `<annotation><object><name>light</name><bndbox>${box}</bndbox></object></annotation>`,
    );
  }
  const trained = await vision.run(
    ...[
      "train",
      "detect",
      "voc",
      "--out",
      "models/lights",
      "--epochs",
      "1",
      "--width",
      "64",
      "--height",
      "64",
    ],
    ...["--device", "wasm", "--threads", "1", "--float16", "--json"],
  );
  expect(trained).toMatchObject({ code: 0 });
  const { scores, ...report } = JSON.parse(trained.stdout);
  expect(report).toMatchObject({ format: "voc", classes: ["light"], pictures: { train: 4, test: 2 } });

  const evaluated = await vision.run("evaluate", "models/lights", "voc", "--json");
  expect(JSON.parse(evaluated.stdout)).toMatchObject({ ...scores, split: "test", count: 2 });

  const detected = await vision.run(
    ...["detect", "voc/JPEGImages/p*.png", "--model", "models/lights", "--threshold", "0", "--json"],
    ...["--max-detections", "2", "--out", "drawn/lights"],
  );
  const found = JSON.parse(detected.stdout);
  expect(found).toHaveLength(6);
  expect(found[3]).toMatchObject({
    file: "voc/JPEGImages/p3.png",
    width: SIDE,
    objects: [{ label: "light" }, { label: "light" }],
    out: "drawn/lights/p3.png",
  });
  expect(await readdir(join(vision.folder, "drawn/lights"))).toHaveLength(6);

  const explained = await vision.run(
    ...["explain", "voc/JPEGImages/p0.png", "--task", "detect", "--model", "models/lights"],
    ...["--method", "occlusion", "--window-size", "32", "--out", "drawn/light.png"],
  );
  expect(explained.stdout).toBe("voc/JPEGImages/p0.png: light by occlusion, drawn in drawn/light.png\n");
});

it("stops at Ctrl-C with a checkpoint, says how to go on, and ends as a run without a stop", async () => {
  const words = ["train", "classify", "halves", "--epochs", "4", "--json", ...QUICK];
  const whole = await vision.run(...words, "--out", "models/whole");
  // from within: a signal of this process might come when the other three epochs are over
  const stop = `
    const { stderr } = process;
    const write = stderr.write.bind(stderr);
    stderr.write = (text, ...rest) => {
      if (String(text).includes("epoch 1/4")) process.kill(process.pid, "SIGINT");
      return write(text, ...rest);
    };
  `;
  const stopped = await vision.runAfter(stop, ...words, "--out", "models/stopped");
  expect(stopped.code).toBe(130);
  const [, step, command] =
    /^stopped from the keyboard after step (\d+), which is saved in models\/stopped\/checkpoints; go on with: npx @ai\/vision (.+)$/m.exec(
      stopped.stderr,
    ) ?? [];
  expect(Number(step)).toBeGreaterThanOrEqual(6);
  expect(Number(step)).toBeLessThan(24);

  const again = await vision.run(...words, "--out", "models/stopped");
  expect(again).toMatchObject({ code: 1 });
  expect(again.stderr).toMatch(/go on with --resume, or start again with --overwrite/);
  const other = await vision.run(...words, "--out", "models/stopped", "--resume", "--seed", "5");
  expect(other.stderr).toMatch(/got seed 5 where it had 0/);

  const resumed = await vision.run(...command.split(" "));
  expect(resumed).toMatchObject({ code: 0 });
  expect(resumed.stderr).toContain(`continues after step ${step}`);
  const weights = (name: string) => readFile(join(vision.folder, "models", name, "model.safetensors"));
  expect((await weights("stopped")).equals(await weights("whole"))).toBe(true);
  expect(JSON.parse(resumed.stdout).scores).toEqual(JSON.parse(whole.stdout).scores);
});

it("says in a sentence what is wrong, with an exit code of 2 for the command line and 1 for the rest", async () => {
  const notPicture = join(vision.folder, "notes.txt");
  await writeFile(notPicture, "no picture");
  const cases: [string, number, RegExp][] = [
    ["", 2, /Usage: vision/],
    ["trane", 2, /^error: unknown command 'trane'\n\(Did you mean train\?\)\n$/],
    ["classify x.png --topk 3", 2, /^error: unknown option '--topk'\n\(Did you mean --top-k\?\)\n$/],
    ["classify x.png --top-k 0", 2, /'--top-k <count>' argument '0' is invalid. Expected a whole number/],
    ["classify x.png --device gpu", 2, /Allowed choices are cpu, wasm, webgpu, cuda/],
    ["detect halves --out boxes.png", 1, /^error: --out: expected a folder for 120 pictures, got the file/],
    ["explain x.png", 2, /required option '--out <path>' not specified/],
    [
      "train classify nowhere",
      1,
      /^error: nowhere: expected a folder or .tar archive of pictures, got nothing/,
    ],
    ["train classify notes.txt", 1, /^error: notes.txt: .*got another file; unpack it/],
    ["train detect halves", 1, /^error: halves: expected pictures with boxes, got .*; use train classify\n$/],
    ["train classify halves/train --hold-out 200", 1, /one of 200 can be held out for tests, got 96; choose/],
    [
      "classify halves --threads 1 --device cpu",
      1,
      /^error: --threads: expected it with the device wasm, got it with cpu/,
    ],
    ["evaluate mine halves", 1, /^error: .*expected a model, got "mine".*\n$/],
  ];
  const ends = await Promise.all(
    cases.map(([words]) => vision.run(...words.split(" ").filter((word) => word !== ""))),
  );
  cases.forEach(([words, code, message], index) => {
    expect({ words, code: ends[index].code }).toEqual({ words, code });
    expect(ends[index].stderr).toMatch(message);
    expect(ends[index].stderr).not.toMatch(/\n\s+at /);
  });
  const [good, bad] = ["halves/test/left/0.png", "notes.txt"];
  const some = await vision.run("classify", bad, good, "--model", "models/halves", "--json");
  expect(some).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^error: readImage: notes.txt: .*\n$/),
  });
  expect(JSON.parse(some.stdout)).toMatchObject([
    { file: bad, error: expect.stringContaining(bad) },
    { file: good, classes: [{}, {}, {}, {}] },
  ]);
  const debugged = await vision.run("train", "classify", "nowhere", "--debug");
  expect(debugged.stderr).toMatch(/InputError: nowhere: .*\n\s+at /);
});
