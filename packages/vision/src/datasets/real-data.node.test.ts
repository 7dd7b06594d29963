import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { imageFolder } from "./image-folder.js";
import { vocDataset } from "./voc-dataset.js";
import { yoloDataset } from "./yolo-dataset.js";

const at = (file: string): string =>
  process.env.AI_SHARED_DATA === undefined
    ? fileURLToPath(new URL(`../../../../../shared/data/vision/${file}`, import.meta.url))
    : `${process.env.AI_SHARED_DATA}/vision/${file}`;
const onFile = (file: string) => {
  const isHere = existsSync(at(file));
  return {
    test: isHere ? it : it.skip,
    why: isHere ? "" : ` (skipped: ../shared/data/vision/${file} is absent)`,
  };
};

describe("real data sets", () => {
  const cifar = onFile("cifar10-jpeg.tar");
  cifar.test(`CIFAR-10 as pictures${cifar.why}`, async () => {
    const data = await imageFolder(at("cifar10-jpeg.tar"), { folder: "test" });
    expect([data.length, data.classes.length]).toEqual([2000, 10]);
    const { picture, label } = await data.get(1999);
    expect([picture.width, picture.height, data.classes[label ?? -1]]).toEqual([32, 32, "truck"]);
  });

  const bccd = onFile("bccd.tar");
  bccd.test(`blood cells in VOC's form${bccd.why}`, async () => {
    const train = await vocDataset(at("bccd.tar"), { split: "train" });
    const test = await vocDataset(at("bccd.tar"), { split: "test", classes: train.classes });
    expect([train.classes, train.length, test.length]).toEqual([["Platelets", "RBC", "WBC"], 205, 72]);
    const { picture, boxes } = await test.get(0);
    expect([picture.width, picture.height, (boxes ?? []).length > 0]).toEqual([640, 480, true]);
  });

  const coco = onFile("coco128.tar");
  coco.test(`COCO128 in YOLO's form${coco.why}`, async () => {
    const folders = { images: "images/train2017", labels: "object_detection/labels/train2017" };
    const data = await yoloDataset(at("coco128.tar"), folders);
    expect(data.length).toBe(128);
    for (const { box } of (await data.get(5)).boxes ?? []) expect(box[2]).toBeGreaterThan(box[0]);
  });
});
