import { InputError } from "@ai/tensor";
import { expect, it } from "vitest";
import type { Box } from "../preprocess/picture-transform.js";
import { loadVisionFixture } from "../testing/model-cases.js";
import { assignHungarian } from "./assign-hungarian.js";
import { boxGiou, boxIou, pairwiseBoxes } from "./boxes.js";
import { decodeCtc } from "./decode-ctc.js";
import { decodeDetr } from "./decode-detr.js";
import { decodeFastestDet } from "./decode-fastest-det.js";
import { nonMaximumSuppression } from "./non-maximum-suppression.js";

const fixture = await loadVisionFixture("boxes");

function boxesOf(name: string): Box[] {
  const { values } = fixture.host(name);
  return Array.from({ length: values.length / 4 }, (_, row): Box => {
    const [left, top, right, bottom] = values.slice(4 * row, 4 * row + 4);
    return [left, top, right, bottom];
  });
}

it("overlaps boxes as torchvision does", () => {
  for (const [name, compare] of [
    ["iou", boxIou],
    ["giou", boxGiou],
  ] as const) {
    const found = pairwiseBoxes(boxesOf("a"), boxesOf("b"), compare);
    for (const [index, value] of fixture.host(name).values.entries())
      expect(found[index]).toBeCloseTo(value, 5);
  }
  const empty: Box = [1, 1, 1, 1];
  expect([boxIou(empty, empty), boxGiou(empty, empty)]).toEqual([0, 0]);
  expect(() => pairwiseBoxes([[0, 0, -1, 1]], [])).toThrow(InputError);
});

it("suppresses overlapping boxes as torchvision and Soft-NMS do", () => {
  const boxes = boxesOf("many");
  const scores = fixture.host("scores").values;
  const classes = Array.from(fixture.host("classes").values);
  const hard = nonMaximumSuppression(boxes, scores, { iouThreshold: 0.3 });
  expect(hard.map(({ index }) => index)).toEqual(Array.from(fixture.host("nms").values));
  const apart = nonMaximumSuppression(boxes, scores, { iouThreshold: 0.3, classes });
  expect(apart.map(({ index }) => index)).toEqual(Array.from(fixture.host("nms_by_class").values));
  expect(nonMaximumSuppression(boxes, scores, { iouThreshold: 0.3, maxDetections: 3 })).toEqual(
    hard.slice(0, 3),
  );
  for (const method of ["linear", "gaussian"] as const) {
    const soft = nonMaximumSuppression(boxes, scores, { iouThreshold: 0.3, method, scoreThreshold: 0.05 });
    const { values } = fixture.host(`soft/${method}`);
    expect(soft).toHaveLength(values.length / 2);
    soft.forEach(({ index, score }, place) => {
      expect(index).toBe(values[2 * place]);
      expect(score).toBeCloseTo(values[2 * place + 1], 5);
    });
  }
  expect(() => nonMaximumSuppression(boxes, [1])).toThrow(InputError);
  expect(() => nonMaximumSuppression(boxes, scores, { iou: 0.5 } as never)).toThrow(/iouThreshold.*got iou/);
});

it("assigns as SciPy does", async () => {
  const { ruledValues } = await import("../testing/ruled-values.js");
  for (const [rows, columns] of [
    [5, 5],
    [4, 9],
    [9, 4],
    [30, 41],
  ] as const) {
    const costs = ruledValues(`costs/${rows}/${columns}`, [rows, columns], -2, 2);
    const { values } = fixture.host(`assignment/${rows}x${columns}`);
    expect(assignHungarian(costs, { rows, columns }).flat()).toEqual(Array.from(values));
  }
  expect(assignHungarian([], { rows: 0, columns: 3 })).toEqual([]);
  expect(() => assignHungarian([1, Number.NaN], { rows: 1, columns: 2 })).toThrow(InputError);
  expect(() => assignHungarian([1], { rows: 1, columns: 2 })).toThrow(InputError);
});

it("reads the sequence that all its paths together make most probable", () => {
  const values = [0.1, 1.2, 0.7, 1.1, 0.2, 0.4, 0.9, 0.8, 1, 0.3, 1.4, 0.1];
  const [length, classes, blank] = [4, 3, 0];
  const sums = Array.from({ length }, (_, step) =>
    values.slice(step * classes, (step + 1) * classes).reduce((total, value) => total + Math.exp(value), 0),
  );
  const totals = new Map<string, number>();
  let bestPath = { text: "", probability: 0 };
  for (let path = 0; path < classes ** length; path++) {
    const symbols = Array.from({ length }, (_, step) => Math.floor(path / classes ** step) % classes);
    const probability = symbols.reduce(
      (product, symbol, step) => (product * Math.exp(values[step * classes + symbol])) / sums[step],
      1,
    );
    const text = symbols.filter((symbol, step) => symbol !== blank && symbol !== symbols[step - 1]).join();
    totals.set(text, (totals.get(text) ?? 0) + probability);
    if (probability > bestPath.probability) bestPath = { text, probability };
  }
  const [[text, probability]] = [...totals].sort((a, b) => b[1] - a[1]);
  const beam = decodeCtc({ values, classes }, { blank, beamSize: 50 });
  expect(beam.classes.join()).toBe(text);
  expect(beam.logProbability).toBeCloseTo(Math.log(probability), 10);
  const greedy = decodeCtc({ values, classes }, { blank });
  expect(greedy.classes.join()).toBe(bestPath.text);
  expect(greedy.logProbability).toBeCloseTo(Math.log(bestPath.probability), 10);
  expect(greedy.positions).toHaveLength(greedy.classes.length);
  expect(() => decodeCtc({ values, classes: 5 }, { blank })).toThrow(InputError);
  expect(() => decodeCtc({ values, classes }, { blank: 3 })).toThrow(InputError);
});

it("decodes the cells of FastestDet and the queries of DETR", () => {
  const cells = new Float32Array(2 * 7);
  cells.set([0.9, 0, 0, 0, 0, 0.2, 0.8], 7); // right cell: centre at its corner, half the picture in size
  const [found] = decodeFastestDet(cells, { rows: 1, columns: 2, classes: 2 }, { size: [100, 200] });
  expect(found).toMatchObject({ label: 1, box: [50, -25, 150, 25] });
  expect(found.score).toBeCloseTo(0.9 ** 0.6 * 0.8 ** 0.4, 6);
  expect(() => decodeFastestDet(cells, { rows: 2, columns: 2, classes: 2 }, { size: [1, 1] })).toThrow(
    InputError,
  );
  const logits = [Math.log(6), Math.log(3), 0, 0, 0, 5];
  const boxes = [0.5, 0.5, 0.2, 0.4, 0.1, 0.1, 0.1, 0.1];
  const objects = decodeDetr({ logits, boxes }, { size: [10, 20] });
  expect(objects).toHaveLength(1);
  expect(objects[0]).toMatchObject({ label: 0, box: [8, 3, 12, 7] });
  expect(objects[0].score).toBeCloseTo(0.6, 6);
  expect(() => decodeDetr({ logits: [1], boxes }, { size: [1, 1] })).toThrow(InputError);
});
