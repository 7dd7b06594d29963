import { DataLoader, MappedDataset, MappedSource, StreamSource } from "@ai/layers/training";
import { InputError, type Tensor } from "@ai/tensor";
import { describeEachDevice, type Fixture, loadFixture } from "@ai/tensor/testing";
import { gzipSync } from "fflate";
import { beforeAll, describe, expect, it } from "vitest";
import { randomHorizontalFlip } from "../augment/flips.js";
import { compose } from "../augment/sample.js";
import { imageToHostTensor } from "../preprocess/image-to-tensor.js";
import { readImage } from "../preprocess/read-image.js";
import { resizeImage } from "../preprocess/resize-image.js";
import { tarOf } from "../testing/tar-files.js";
import { cocoDataset } from "./coco-dataset.js";
import { openDataFiles } from "./data-files.js";
import { imageFolder } from "./image-folder.js";
import { cifarDataset, mnistDataset, readIdx } from "./packed-datasets.js";
import { readTar } from "./tar.js";
import { vocDataset } from "./voc-dataset.js";
import { parseXml } from "./xml.js";
import { yoloDataset } from "./yolo-dataset.js";

/** 37 × 29 and 18 × 21. */
let photo: Uint8Array;
let drawing: Uint8Array;
let fixture: Fixture;
beforeAll(async () => {
  fixture = await loadFixture(new URL("../../fixtures/pictures.safetensors", import.meta.url));
  const bytes = (name: string): Uint8Array => Uint8Array.from(fixture.host(name).values as Int32Array);
  photo = bytes("jpeg-4:2:0/file");
  drawing = bytes("png-rgba/file");
});

const files = (content: Record<string, Uint8Array | string>): Map<string, Blob> =>
  new Map(Object.entries(content).map(([path, part]) => [path, new Blob([part as BlobPart])]));

const vocXml = (objects: string, size = "<size><width>37</width><height>29</height></size>"): string =>
  `<?xml version="1.0"?><!-- made --><annotation>${size}${objects}</annotation>`;
const vocObject = (name: string, [left, top, right, bottom]: number[], more = ""): string =>
  `<object><name>${name}</name>${more}<bndbox><xmin>${left}</xmin><ymin>${top}</ymin><xmax>${right}</xmax><ymax>${bottom}</ymax></bndbox></object>`;

describe("imageFolder", () => {
  it("takes folders as classes, from files and from an archive alike", async () => {
    const content = {
      "train/dog/b.png": drawing,
      "train/cat/a.jpg": photo,
      "train/cat/notes.txt": "x",
      "test/cat/c.jpg": photo,
    };
    const long = `${"d".repeat(60)}/${"e".repeat(60)}/`;
    for (const source of [files(content), tarOf(content), new Blob([tarOf(content) as BlobPart])]) {
      const data = await imageFolder(source, { folder: "train" });
      expect([data.length, data.classes, data.labels, data.paths]).toEqual([
        2,
        ["cat", "dog"],
        [0, 1],
        ["train/cat/a.jpg", "train/dog/b.png"],
      ]);
      const { picture, label, path } = await data.get(0);
      expect([picture.width, picture.height, picture.channels, label, path]).toEqual([
        37,
        29,
        3,
        0,
        "train/cat/a.jpg",
      ]);
      expect(picture).toEqual(await readImage(photo));
      const grey = await (await imageFolder(source, { folder: "train", channels: 1 })).get(1);
      expect(grey.picture.channels).toBe(1);
    }
    const deep = await openDataFiles(tarOf({ [`${long}a.txt`]: "far", "b/": "" }));
    expect(deep.paths).toEqual([`${long}a.txt`]);
    expect(new TextDecoder().decode(await deep.read(`${long}a.txt`))).toBe("far");
  });

  it("names the file that is wrong", async () => {
    const data = await imageFolder(
      files({ "cat/broken.jpg": photo.subarray(0, 200), "cat/text.png": "no picture" }),
    );
    await expect(data.get(0)).rejects.toThrow(/files\/cat\/broken.jpg: expected .* the file is damaged/);
    await expect(data.get(1)).rejects.toThrow(/files\/cat\/text.png: expected a JPEG, PNG/);
    await expect(data.get(2)).rejects.toThrow(/an index in \[0, 2\), got 2/);
    const ended = { signal: AbortSignal.abort() };
    for (const source of [files({ "cat/a.jpg": photo }), tarOf({ "cat/a.jpg": photo })])
      await expect(imageFolder(source, ended)).rejects.toThrow(/abort/i);
    await expect(imageFolder(files({ "a.txt": "x" }))).rejects.toThrow(
      /pictures in a folder a class, got none/,
    );
    await expect(imageFolder(files({ "cat/a.jpg": photo }), { classes: ["dog"] })).rejects.toThrow(
      /a class of dog, got cat/,
    );
    await expect(imageFolder(files({}), { folders: "x" } as never)).rejects.toThrow(/one named folders/);
  });
});

describe("vocDataset", () => {
  it("gives boxes from the top left corner, in pixels", async () => {
    const content = {
      "VOC/JPEGImages/one.jpg": photo,
      "VOC/JPEGImages/two.png": drawing,
      "VOC/Annotations/one.xml": vocXml(
        vocObject("cell", [1, 1, 37, 29]) + vocObject("a &amp; b", [5, 6, 7, 8], "<difficult>1</difficult>"),
      ),
      "VOC/Annotations/two.xml": vocXml(vocObject("cell", [2, 3, 4, 5]), ""),
      "VOC/ImageSets/Main/train.txt": "one\n\n",
    };
    const all = await vocDataset(files(content));
    expect([all.length, all.classes]).toEqual([2, ["a & b", "cell"]]);
    const train = await vocDataset(tarOf(content), { split: "train", classes: ["cell", "a & b"] });
    expect(train.length).toBe(1);
    expect((await train.get(0)).boxes).toEqual([
      { box: [0, 0, 37, 29], label: 0 },
      { box: [4, 5, 7, 8], label: 1, isDifficult: true },
    ]);
    const zero = await vocDataset(files(content), { firstPixel: 0 });
    expect((await zero.get(1)).boxes).toEqual([{ box: [2, 3, 5, 6], label: 1 }]);
  });

  it("names the file that is wrong", async () => {
    const voc = (xml: string, more: Record<string, string> = {}) =>
      vocDataset(files({ "JPEGImages/one.jpg": photo, "Annotations/one.xml": xml, ...more }));
    await expect(voc("<annotation>")).rejects.toThrow(
      /Annotations\/one.xml: expected XML, got an end inside <annotation>/,
    );
    await expect(voc("<other/>")).rejects.toThrow(/expected an annotation, got <other>/);
    await expect(voc(vocXml(vocObject("cell", [5, 1, 3, 2])))).rejects.toThrow(/in order, got 5, 1, 3, 2/);
    await expect(voc(vocXml("<object><name>x</name></object>"))).rejects.toThrow(/expected a box/);
    await expect(voc(vocXml(""), { "Annotations/two.xml": vocXml("") })).rejects.toThrow(
      /expected a picture two, got none/,
    );
    const other = await voc(vocXml("", "<size><width>9</width><height>9</height></size>"));
    await expect(other.get(0)).rejects.toThrow(
      /one.jpg: expected 9 × 9 pixels as its annotations say, got 37 × 29/,
    );
    await expect(vocDataset(files({ "a.jpg": photo }))).rejects.toThrow(/expected Annotations/);
    const unknown = vocDataset(files({ "JPEGImages/one.jpg": photo, "Annotations/one.xml": vocXml("") }), {
      split: "val",
    });
    await expect(unknown).rejects.toThrow(/the list ImageSets\/Main\/val.txt, got no lists/);
  });
});

describe("cocoDataset", () => {
  const annotations = {
    images: [
      { id: 7, file_name: "b.png", width: 18, height: 21 },
      { id: 3, file_name: "a.jpg", width: 37, height: 29 },
    ],
    categories: [
      { id: 44, name: "bottle" },
      { id: 2, name: "bicycle" },
    ],
    annotations: [
      { image_id: 3, category_id: 44, bbox: [1.5, 2, 10, 4], area: 30, iscrowd: 0 },
      { image_id: 3, category_id: 2, bbox: [0, 0, 37, 29], iscrowd: 1 },
    ],
  };
  const coco = (content: unknown) =>
    cocoDataset(
      files({
        "val/a.jpg": photo,
        "val/b.png": drawing,
        "ann.json": typeof content === "string" ? content : JSON.stringify(content),
      }),
      { annotations: "ann.json", folder: "val" },
    );

  it("gives boxes in pixels, crowds and areas", async () => {
    const data = await coco(annotations);
    expect([data.length, data.classes]).toEqual([2, ["bicycle", "bottle"]]);
    expect((await data.get(0)).boxes).toEqual([]);
    expect((await data.get(1)).boxes).toEqual([
      { box: [1.5, 2, 11.5, 6], label: 1, area: 30 },
      { box: [0, 0, 37, 29], label: 0, isCrowd: true },
    ]);
  });

  it("names the file that is wrong", async () => {
    await expect(coco("{")).rejects.toThrow(/files\/ann.json: expected JSON/);
    await expect(coco({ ...annotations, categories: 3 })).rejects.toThrow(/got no list categories/);
    const wrong = { ...annotations, annotations: [{ image_id: 9, category_id: 2, bbox: [0, 0, 1, 1] }] };
    await expect(coco(wrong)).rejects.toThrow(/"image_id":9.* at position 0/);
    const data = await coco({ ...annotations, images: [{ id: 3, file_name: "none.jpg" }], annotations: [] });
    await expect(data.get(0)).rejects.toThrow(/none.jpg/);
  });
});

describe("yoloDataset", () => {
  it("gives boxes in pixels", async () => {
    const content = {
      "images/train/a.jpg": photo,
      "images/train/b.png": drawing,
      "labels/train/a.txt": "2 0.5 0.5 1 0.5\n0 0.25 0.25 0.5 0.5\n",
    };
    const data = await yoloDataset(files(content), { images: "images/train" });
    expect([data.length, data.classes]).toEqual([2, ["0", "1", "2"]]);
    expect((await data.get(0)).boxes).toEqual([
      { label: 2, box: [0, 7.25, 37, 21.75] },
      { label: 0, box: [0, 0, 18.5, 14.5] },
    ]);
    expect((await data.get(1)).boxes).toEqual([]);
    for (const line of ["0 1 2", "4000000000 0.5 0.5 1 1"]) {
      const wrong = files({ ...content, "labels/train/b.txt": `${line}\n` });
      await expect(yoloDataset(wrong, { images: "images/train" })).rejects.toThrow(
        `yoloDataset: files/labels/train/b.txt: expected "class x y width height" with a class below 100000 in line 1, got "${line}"`,
      );
    }
    await expect(yoloDataset(files(content), { images: "images/train", classes: ["a"] })).rejects.toThrow(
      /a class below 1/,
    );
  });
});

describe("readTar", () => {
  it("gives files as they come, and stops at damage", async () => {
    const archive = tarOf({ "folder/": "", "a.txt": "one", "b.jpg": photo });
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let at = 0; at < archive.length; at += 700) controller.enqueue(archive.subarray(at, at + 700));
        controller.close();
      },
    });
    const seen: [string, number][] = [];
    for await (const { path, bytes } of readTar(stream)) seen.push([path, bytes.length]);
    expect(seen).toEqual([
      ["a.txt", 3],
      ["b.jpg", photo.length],
    ]);
    const read = async (bytes: Uint8Array, options = {}): Promise<void> => {
      for await (const entry of readTar(bytes, options)) expect(entry.path).not.toBe("");
    };
    await expect(read(archive.subarray(0, 2000))).rejects.toThrow(/cut off/);
    await expect(read(archive, { maxBytes: 10 })).rejects.toThrow(/at most 10 bytes, got b.jpg/);
    await expect(read(archive, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    const damaged = archive.slice();
    damaged[512 + 124] ^= 1;
    await expect(read(damaged)).rejects.toThrow(/header with its checksum/);
    await expect(openDataFiles(damaged)).rejects.toThrow(InputError);
    await expect(openDataFiles(archive.subarray(0, 2000))).rejects.toThrow(/cut off/);
  });
});

describe("packed data sets", () => {
  it("reads IDX files, compressed or not", async () => {
    const images = Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, ...Array(12).keys());
    const labels = Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 9, 4);
    for (const data of [
      await mnistDataset({ images, labels }),
      await mnistDataset({ images: gzipSync(images), labels }),
    ]) {
      expect([data.length, data.labels, data.classes.length]).toEqual([2, [9, 4], 10]);
      expect(data.get(1)).toEqual({
        picture: { data: Uint8Array.of(6, 7, 8, 9, 10, 11), width: 3, height: 2, channels: 1 },
        label: 4,
      });
    }
    await expect(readIdx(images.subarray(0, 20))).rejects.toThrow(/expected 12 bytes for \[2, 2, 3\], got 4/);
    await expect(readIdx(gzipSync(images).subarray(0, 20))).rejects.toThrow(InputError);
    await expect(mnistDataset({ images: labels, labels })).rejects.toThrow(/images \[count, height, width\]/);
    await expect(mnistDataset({ images, labels, classes: ["a"] })).rejects.toThrow(
      /labels below 1, got 9 at position 0/,
    );
  });

  it("reads CIFAR's records", () => {
    const ten = new Uint8Array(3073).fill(5);
    ten[0] = 3;
    ten[1 + 1024] = 77;
    const data = cifarDataset([ten]);
    expect([data.length, data.classes[data.get(0).label]]).toEqual([1, "cat"]);
    expect([...data.get(0).picture.data.subarray(0, 4)]).toEqual([5, 77, 5, 5]);
    const hundred = new Uint8Array(3074);
    hundred[1] = 99;
    expect(cifarDataset([hundred], { numClasses: 100 }).labels).toEqual([99]);
    expect(() => cifarDataset([ten.subarray(1)])).toThrow(/whole records of 3073 bytes, got 3072/);
    expect(() => cifarDataset([ten.fill(200, 0, 1)])).toThrow(/labels below 10, got 200/);
  });
});

describe("parseXml", () => {
  it("reads elements and refuses what does not match", () => {
    const root = parseXml(
      '<!DOCTYPE a><a x="1"><b> 1 &lt; &#50;</b><c/><d><![CDATA[<raw>]]></d></a>\n',
      "f.xml",
    );
    expect(root.children.map(({ name, text }) => [name, text])).toEqual([
      ["b", "1 < 2"],
      ["c", ""],
      ["d", "<raw>"],
    ]);
    for (const bad of [
      "",
      "text",
      "<a></b>",
      "<a><b></a></b>",
      "<a",
      "<a/><b/>",
      "<".repeat(50_000),
      "<a>".repeat(100),
    ])
      expect(() => parseXml(bad, "f.xml")).toThrow(/f.xml: expected XML/);
  });
});

describeEachDevice("data sets in loaders", () => {
  it("are mapped, augmented and collated", async () => {
    const data = await imageFolder(files({ "cat/a.jpg": photo, "dog/b.png": drawing, "dog/c.png": drawing }));
    const augment = compose([randomHorizontalFlip()]);
    const items = new MappedDataset(data, (sample, context) => {
      const { picture, label } = augment(sample, context);
      return [imageToHostTensor(resizeImage(picture, { width: 8, height: 6 })), label ?? -1] as const;
    });
    for (let epoch = 0; epoch < 2; epoch++)
      for await (const batch of new DataLoader(items, { batchSize: 3, seed: 1 })) {
        const [images, labels] = batch as unknown as [Tensor, Tensor];
        expect([images.shape, Array.from(await labels.data())]).toEqual([
          [3, 6, 8, 3],
          [0, 1, 1],
        ]);
        images.dispose();
        labels.dispose();
      }
    const archive = tarOf({ "a.jpg": photo, "b.png": drawing });
    const stream = new MappedSource(new StreamSource(() => readTar(archive)), async ({ bytes }) =>
      imageToHostTensor(resizeImage(await readImage(bytes), { width: 4, height: 4 })),
    );
    for await (const images of new DataLoader(stream, { batchSize: 2 })) {
      expect((images as unknown as Tensor).shape).toEqual([2, 4, 4, 3]);
      (images as unknown as Tensor).dispose();
    }
  });
});
