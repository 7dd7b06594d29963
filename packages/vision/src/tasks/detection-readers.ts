import { mul, narrow, pow, reshape, sigmoid, softmax, sqrt, type Tensor } from "@ai/tensor";
import type { DetectionModel, DetectionOutputs } from "../models/detection-model.js";
import type { BoxCandidate } from "../postprocess/boxes.js";
import { queryCandidates } from "../postprocess/decode-detr.js";
import { cellCandidates } from "../postprocess/decode-fastest-det.js";
import { pointCandidates } from "../postprocess/decode-points.js";
import { pointGrid } from "../postprocess/point-grid.js";
import type { SelectBoxesOptions } from "../postprocess/select-boxes.js";

/** What one picture's values are read with. */
export interface DetectionContext {
  /** Height and width of the picture as the model saw it, without padding. */
  readonly size: readonly [height: number, width: number];
  /** Height and width of the model's input. */
  readonly inputSize: readonly [height: number, width: number];
  /** Shapes of the tensors, without the batch. */
  readonly shapes: readonly (readonly number[])[];
  readonly strides: readonly number[];
  readonly scoreThreshold: number;
}

/** How one form of a detector's output is read. */
export interface DetectionReader<Output> {
  /** What is usual for it. */
  readonly usual: Pick<SelectBoxesOptions, "threshold" | "suppression" | "iouThreshold">;
  /** The tensors `[batch, ...]` of an output. */
  tensors(output: Output): Tensor[];
  /** What one picture's values, in the order of `tensors`, speak for. Boxes are in pixels of what the model saw. */
  candidates(values: readonly Float32Array[], context: DetectionContext): BoxCandidate[];
  /** The score of a class at one place. @returns `[batch]` */
  score(output: Output, place: Pick<BoxCandidate, "source" | "label">): Tensor;
}

/** One number of each row. @param x `[batch, places, channels]` @returns `[batch]` */
function at(x: Tensor, source: number, channel: number): Tensor {
  const place = narrow(x, { axis: 1, start: source, length: 1 }); // [batch, 1, channels]
  return reshape(narrow(place, { axis: 2, start: channel, length: 1 }), [-1]); // [batch]
}

const READERS: { readonly [Form in keyof DetectionOutputs]: DetectionReader<DetectionOutputs[Form]> } = {
  cells: {
    usual: { threshold: 0.25, suppression: "hard", iouThreshold: 0.45 },
    tensors: (cells) => [cells],
    candidates([cells], { size, shapes: [[rows, columns, channels]], scoreThreshold }) {
      return cellCandidates(cells, { rows, columns, classes: channels - 5 }, { size, scoreThreshold });
    },
    score(cells, { source, label }) {
      const [batch, rows, columns, channels]: readonly number[] = cells.shape;
      const flat = reshape(cells, [batch, rows * columns, channels]); // [batch, rows · columns, channels]
      return mul(pow(at(flat, source, 0), 0.6), pow(at(flat, source, 5 + label), 0.4));
    },
  },
  queries: {
    usual: { threshold: 0.5, suppression: "none", iouThreshold: 0.5 },
    tensors: ({ logits, boxes }) => [logits, boxes],
    candidates: ([logits, boxes], { size, scoreThreshold }) =>
      queryCandidates({ logits, boxes }, { size, scoreThreshold }),
    score: ({ logits }, { source, label }) => at(softmax(logits), source, label),
  },
  points: {
    usual: { threshold: 0.3, suppression: "hard", iouThreshold: 0.6 },
    tensors: ({ classes, distances, centerness }) => [classes, distances, centerness],
    candidates: ([classes, distances, centerness], { inputSize, strides, scoreThreshold }) =>
      pointCandidates({ classes, distances, centerness }, pointGrid(inputSize, strides), { scoreThreshold }),
    score: ({ classes, centerness }, { source, label }) =>
      sqrt(mul(sigmoid(at(classes, source, label)), sigmoid(at(centerness, source, 0)))),
  },
};

/** The reader of a model's output. */
export function readerOf({ parts }: DetectionModel): DetectionReader<ReturnType<DetectionModel["call"]>> {
  return READERS[parts.output] as DetectionReader<ReturnType<DetectionModel["call"]>>;
}
