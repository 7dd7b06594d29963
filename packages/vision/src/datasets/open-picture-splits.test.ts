import { InputError } from "@ai/tensor";
import { describe, expect, it } from "vitest";
import { writePng } from "../preprocess/write-image.js";
import { openPictureSplits, type PictureSplits } from "./open-picture-splits.js";
import { parseYoloNames } from "./yolo-names.js";

const PNG = await writePng({ data: new Uint8Array(8 * 4 * 3), width: 8, height: 4, channels: 3 });

const files = (content: Record<string, Uint8Array | string>): Map<string, Blob> =>
  new Map(Object.entries(content).map(([path, part]) => [path, new Blob([part as BlobPart])]));

const pictures = (...paths: string[]): Record<string, Uint8Array> =>
  Object.fromEntries(paths.map((path) => [path, PNG]));

const counts = ({ splits }: PictureSplits): Record<string, number> =>
  Object.fromEntries(Object.entries(splits).map(([name, set]) => [name, set.length]));

const vocXml = (name: string): string =>
  `<annotation><object><name>${name}</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></object></annotation>`;

const coco = (name: string, categories = ["cup"]): string =>
  JSON.stringify({
    images: [{ id: 1, file_name: name }],
    annotations: [{ image_id: 1, category_id: 0, bbox: [0, 0, 2, 2] }],
    categories: categories.map((category, id) => ({ id, name: category })),
  });

/** An IDX file of bytes. */
const idx = (shape: readonly number[], values: readonly number[]): Uint8Array => {
  const header = [0, 0, 8, shape.length, ...shape.flatMap((length) => [0, 0, 0, length])];
  return Uint8Array.from([...header, ...values]);
};

describe("openPictureSplits", () => {
  it("finds folders of classes, with parts below one folder and without parts", async () => {
    const split = await openPictureSplits(
      files({
        ...pictures("set/train/b/1.png", "set/train/a/1.png", "set/val/b/1.png"),
        "set/notes.txt": "x",
      }),
    );
    expect(split).toMatchObject({ format: "folders", annotations: "classes", classes: ["a", "b"] });
    expect(counts(split)).toEqual({ train: 2, validation: 1 });
    expect((await split.splits.validation!.get(0)).label).toBe(1);
    const whole = await openPictureSplits(files(pictures("a/1.png", "b/1.png", "b/2.png")));
    expect([whole.classes, counts(whole)]).toEqual([["a", "b"], { all: 3 }]);
  });

  it("finds Pascal VOC's lists, with the classes of all of them", async () => {
    const voc = await openPictureSplits(
      files({
        ...pictures("V/JPEGImages/1.png", "V/JPEGImages/2.png"),
        "V/Annotations/1.xml": vocXml("dog"),
        "V/Annotations/2.xml": vocXml("cat"),
        "V/ImageSets/Main/train.txt": "1\n",
        "V/ImageSets/Main/test.txt": "2\n",
        "V/ImageSets/Main/dog_train.txt": "1 1\n",
      }),
    );
    expect(voc).toMatchObject({ format: "voc", annotations: "boxes", classes: ["cat", "dog"] });
    expect(counts(voc)).toEqual({ train: 1, test: 1 });
    expect((await voc.splits.train!.get(0)).boxes).toMatchObject([{ label: 1 }]);
  });

  it.each([
    ["beside the annotations", "train/_annotations.coco.json", "1.png", "train/1.png"],
    ["in a folder of their part", "annotations/instances_train2017.json", "1.png", "train2017/1.png"],
    ["in images", "data/annotations/instances_train.json", "1.png", "data/images/train/1.png"],
    ["at the root", "annotations.json", "p/1.png", "p/1.png"],
  ])("finds COCO's pictures %s", async (_, annotations, name, path) => {
    const data = await openPictureSplits(files({ ...pictures(path), [annotations]: coco(name) }));
    expect(data).toMatchObject({ format: "coco", annotations: "boxes", classes: ["cup"] });
    const [[split, set]] = Object.entries(data.splits);
    expect(split).toBe(annotations.includes("train") ? "train" : "all");
    expect(await set.get(0)).toMatchObject({ path, boxes: [{ label: 0 }] });
  });

  it("finds YOLO's files in either order of folders, and the names of the classes", async () => {
    for (const [images, labels] of [
      ["images/train", "labels/train"],
      ["train/images", "train/labels"],
      ["images/train", "other/labels/train"],
    ]) {
      const content = { ...pictures(`${images}/1.png`), [`${labels}/1.txt`]: "1 0.5 0.5 0.5 0.5\n" };
      const numbered = await openPictureSplits(files(content));
      expect(numbered).toMatchObject({ format: "yolo", annotations: "boxes", classes: ["0", "1"] });
      expect(counts(numbered)).toEqual({ train: 1 });
      const named = await openPictureSplits(
        files({ ...content, "data.yaml": "nc: 2\nnames: [cup, 'plate']\n" }),
      );
      expect(named.classes).toEqual(["cup", "plate"]);
      expect((await named.splits.train!.get(0)).boxes).toMatchObject([{ label: 1, box: [2, 1, 6, 3] }]);
    }
  });

  it("reads YOLO's names in each form, and refuses numbers that no data set has", () => {
    const names = (yaml: string) => parseYoloNames(yaml, true, "set/data.yaml");
    expect(names("names:\n  0: cup # small\n\n  2: 'a b'\nnc: 3")).toEqual(["cup", "1", "a b"]);
    expect(names("names:\n- cup\n- plate\ntrain: x")).toEqual(["cup", "plate"]);
    expect(names("names: {1: car, 0: driver's seat}\nnc: 2")).toEqual(["driver's seat", "car"]);
    expect(names(`names: {\n  0: "a, b}",\n  '1': car,\n}\n`)).toEqual(["a, b}", "car"]);
    expect(names("nc: 2")).toBeUndefined();
    expect(parseYoloNames("cup\nplate\n", false, "set/classes.txt")).toEqual(["cup", "plate"]);
    for (const text of ["names:\n  4000000000: x\n", "names: {4000000000: x}"])
      expect(() => names(text)).toThrow(
        "openPictureSplits: set/data.yaml: expected numbers of classes below 100000, got 4000000000: x; number them from 0 on",
      );
    for (const text of ["names: {car: 0}", "names: {0: car"])
      expect(() => names(text)).toThrow(/data.yaml: expected names as \{0: person, 1: car\}, got/);
  });

  it("finds CIFAR's and MNIST's files", async () => {
    const record = (bytes: number): Uint8Array => new Uint8Array(bytes + 3072);
    const cifar = await openPictureSplits(
      files({
        "c/data_batch_1.bin": record(1),
        "c/data_batch_2.bin": record(1),
        "c/test_batch.bin": record(1),
      }),
    );
    expect(cifar).toMatchObject({ format: "cifar10", annotations: "classes" });
    expect(counts(cifar)).toEqual({ train: 2, test: 1 });
    expect((await openPictureSplits(files({ "train.bin": record(2) }))).classes).toHaveLength(100);
    const mnist = await openPictureSplits(
      files({
        "train-images-idx3-ubyte": idx([2, 1, 1], [5, 6]),
        "train-labels-idx1-ubyte": idx([2], [3, 4]),
        "t10k-images.idx3-ubyte": idx([1, 1, 1], [7]),
        "t10k-labels.idx1-ubyte": idx([1], [9]),
      }),
    );
    expect(counts(mnist)).toEqual({ train: 2, test: 1 });
    expect(await mnist.splits.test!.get(0)).toMatchObject({ label: 9, picture: { width: 1 } });
    const emnist = await openPictureSplits(
      files({
        "emnist-letters-train-images-idx3-ubyte": idx([2, 1, 1], [5, 6]),
        "emnist-letters-train-images-idx3-ubyte.gz": "the same, packed",
        "emnist-letters-train-labels-idx1-ubyte": idx([2], [3, 4]),
        "emnist-letters-test-images-idx3-ubyte": idx([1, 1, 1], [7]),
        "emnist-letters-test-labels-idx1-ubyte": idx([1], [9]),
      }),
    );
    expect(counts(emnist)).toEqual({ train: 2, test: 1 });
  });

  it("refuses what it cannot tell, and stops when told", async () => {
    const cases: [Record<string, Uint8Array | string>, RegExp][] = [
      [{ "a.txt": "x" }, /expected pictures in a folder a class, or files of .*, got 1 files such as a.txt/],
      [pictures("train/a/1.png", "training/a/1.png"), /one part called train, got train and training/],
      [{ "instances_train.json": "{}" }, /expected images with file_name, got none/],
      [
        {
          ...pictures("1.png"),
          "train/annotations.json": coco("1.png"),
          "val/annotations.json": coco("1.png", ["a"]),
        },
        /same categories in every part/,
      ],
      [pictures("images/a/1.png", "images/b/1.png"), /folders called train, val or test below images/],
      [{ "train-images-idx3-ubyte": idx([1, 1, 1], [0]) }, /expected train-labels-idx1-ubyte beside/],
      [
        Object.fromEntries(
          ["digits", "letters"].flatMap((name) => [
            [`${name}-images-idx3-ubyte`, idx([1, 1, 1], [0])],
            [`${name}-labels-idx1-ubyte`, idx([1], [0])],
          ]),
        ),
        /one file of pictures for the part all, got digits-images-idx3-ubyte and letters-images/,
      ],
      [
        { "annotations.json": String.raw`{"images": [{"file_name": "shots\q.png"}]}` },
        /^openPictureSplits: .*annotations.json: expected file_name as JSON writes text, got "shots\\q.png"/,
      ],
    ];
    for (const [content, message] of cases) {
      const format = Object.keys(content)[0].startsWith("images/") ? ({ format: "yolo" } as const) : {};
      const opened = openPictureSplits(files(content), format);
      await expect(opened).rejects.toThrow(message);
      await expect(opened).rejects.toThrow(InputError);
    }
    const data = files(pictures("a/1.png"));
    await expect(openPictureSplits(data, { format: "zip" as never })).rejects.toThrow(/format to be folders/);
    await expect(openPictureSplits(data, { kind: "voc" } as never)).rejects.toThrow(/one named kind/);
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(openPictureSplits(data, { signal })).rejects.toThrow("enough");
  });
});
