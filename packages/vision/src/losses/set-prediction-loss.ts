import {
  abs,
  add,
  concat,
  crossEntropy,
  div,
  gatherNd,
  InputError,
  mul,
  narrow,
  read,
  softmax,
  sub,
  sum,
  type Tensor,
  tensor,
  tidy,
} from "@ai/tensor";
import { type Assignment, assignHungarian } from "../postprocess/assign-hungarian.js";
import { boxFromCenter, boxGiou } from "../postprocess/boxes.js";
import { pairedGiou } from "./giou.js";

/** What a detector of a set says, such as `Detr`. */
export interface SetPrediction {
  /** `[batch, queries, classes + 1]` scores before the softmax; the last one is "no object". */
  readonly logits: Tensor;
  /** `[batch, queries, 4]` centre x, centre y, width and height relative to the picture. */
  readonly boxes: Tensor;
}

/** The objects of one picture. */
export interface SetTarget {
  /** Class of each object. */
  readonly labels: readonly number[];
  /** Centre x, centre y, width and height of each, relative to the picture. */
  readonly boxes: readonly (readonly [x: number, y: number, width: number, height: number])[];
}

/** How much the parts count, in matching and in the loss. */
export interface SetWeights {
  /** Default 1. */
  readonly classes?: number;
  /** Sum of the absolute differences of the four box numbers. Default 5. */
  readonly boxes?: number;
  /** Default 2. */
  readonly giou?: number;
}

/** The parts of {@link setPredictionLoss}, all `[]`. */
export interface SetPredictionLoss {
  readonly total: Tensor;
  readonly classes: Tensor;
  readonly boxes: Tensor;
  readonly giou: Tensor;
}

/**
 * Pairs queries with objects so that probability, box distance and overlap fit best together.
 * @returns for each picture pairs of query and object
 * @throws InputError for another number of targets than pictures, or a class out of range.
 * @see Carion et al. (2020), https://arxiv.org/abs/2005.12872, section 3.1
 */
export async function matchSetPrediction(
  { logits, boxes }: SetPrediction,
  targets: readonly SetTarget[],
  { classes: classWeight = 1, boxes: boxWeight = 5, giou: giouWeight = 2 }: SetWeights = {},
): Promise<Assignment[][]> {
  const [batch, queries, stride]: readonly number[] = logits.shape;
  if (targets.length !== batch)
    throw new InputError(`matchSetPrediction: expected targets of ${batch} pictures, got ${targets.length}`);
  for (const label of targets.flatMap(({ labels }) => labels))
    if (!(Number.isInteger(label) && label >= 0 && label < stride - 1))
      throw new InputError(`matchSetPrediction: expected classes below ${stride - 1}, got ${label}`);
  const probabilities = softmax(logits);
  const [scores, places] = await Promise.all([read(probabilities), read(boxes)]).finally(() =>
    probabilities.dispose(),
  );
  return targets.map(({ labels, boxes: wanted }, picture) => {
    const costs = new Float64Array(queries * labels.length);
    for (let query = 0; query < queries; query++) {
      const at = picture * queries + query;
      const found = [0, 1, 2, 3].map((place) => places[at * 4 + place]);
      const foundBox = boxFromCenter(found[0], found[1], { width: found[2], height: found[3] });
      labels.forEach((label, object) => {
        const [x, y, width, height] = wanted[object];
        const distance = found.reduce(
          (total, value, place) => total + Math.abs(value - wanted[object][place]),
          0,
        );
        costs[query * labels.length + object] =
          boxWeight * distance -
          classWeight * scores[at * stride + label] -
          giouWeight * boxGiou(foundBox, boxFromCenter(x, y, { width, height }));
      });
    }
    return assignHungarian(costs, { rows: queries, columns: labels.length });
  });
}

/**
 * The loss of a predicted set: cross-entropy of every query's class ("no object" where it has none), and box distance and
 * overlap of the queries that have one, over the number of objects.
 * @param matches From {@link matchSetPrediction}, awaited before the gradient is recorded.
 * @param options Weights of the parts, and of "no object" in the cross-entropy (`noObject`, default 0.1).
 * @returns the weighted sum and its parts
 */
export function setPredictionLoss(
  { logits, boxes }: SetPrediction,
  targets: readonly SetTarget[],
  {
    matches,
    noObject = 0.1,
    classes: classWeight = 1,
    boxes: boxWeight = 5,
    giou: giouWeight = 2,
  }: SetWeights & { readonly matches: readonly (readonly Assignment[])[]; readonly noObject?: number },
): SetPredictionLoss {
  const [batch, queries, stride]: readonly number[] = logits.shape;
  return tidy(() => {
    const labels = new Int32Array(batch * queries).fill(stride - 1);
    const places: number[] = [];
    const wanted: number[] = [];
    matches.forEach((pairs, picture) => {
      for (const [query, object] of pairs) {
        labels[picture * queries + query] = targets[picture].labels[object];
        places.push(picture, query);
        wanted.push(...targets[picture].boxes[object]);
      }
    });
    const weight = tensor(
      Array.from({ length: stride }, (_, label) => (label === stride - 1 ? noObject : 1)),
    );
    const classes = crossEntropy(logits, tensor(labels, [batch, queries]), { weight });
    const numObjects = Math.max(
      1,
      targets.reduce((total, target) => total + target.labels.length, 0),
    );
    if (wanted.length === 0) {
      const none = sum(mul(boxes, 0));
      return { total: add(mul(classes, classWeight), none), classes, boxes: none, giou: sum(mul(boxes, 0)) };
    }
    const found = gatherNd(boxes, tensor(Int32Array.from(places), [places.length / 2, 2])); // [objects, 4]
    const target = tensor(Float32Array.from(wanted), [wanted.length / 4, 4]);
    const distance = div(sum(abs(sub(found, target))), numObjects);
    const giou = div(sum(sub(1, pairedGiou(cornersOf(found), cornersOf(target)))), numObjects);
    const parts = add(mul(distance, boxWeight), mul(giou, giouWeight));
    return { total: add(mul(classes, classWeight), parts), classes, boxes: distance, giou };
  });
}

/** From centre and size to edges. @param boxes `[..., 4]` @returns `[..., 4]` */
function cornersOf(boxes: Tensor): Tensor {
  const center = narrow(boxes, { axis: -1, start: 0, length: 2 });
  const half = mul(narrow(boxes, { axis: -1, start: 2, length: 2 }), 0.5);
  return concat([sub(center, half), add(center, half)], { axis: -1 });
}
