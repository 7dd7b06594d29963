/** A point on a line: how far along it, and the loss and its slope there. */
export interface LinePoint {
  readonly position: number;
  readonly loss: number;
  /** Derivative of the loss along the line. */
  readonly slope: number;
}

/** What bounds a search. */
export interface LineSearchLimits {
  /** Evaluations after the first one. */
  readonly maxEvaluations: number;
  /** An interval shorter than this is searched no further. */
  readonly smallestInterval: number;
}

/** Share of the expected decrease that a step has to reach (Armijo's condition). */
const SUFFICIENT_DECREASE = 1e-4;
/** Share of the slope that may be left (the curvature condition). */
const LEFT_SLOPE = 0.9;
/** A trial that is nearer to an end of its interval, as a share of it, makes too little progress. */
const NEAR_END = 0.1;
/** While no interval is known a trial goes at least this share of the last stride, and at most this factor, further. */
const [LEAST_STRIDE, LARGEST_FACTOR] = [0.01, 10];

/** What the search found, and how many evaluations it took. */
export interface LineSearchResult<Point extends LinePoint> {
  readonly point: Point;
  readonly evaluations: number;
}

/**
 * A step along a line that meets the strong Wolfe conditions: the loss falls by enough and the slope is nearly level. It
 * goes forward until an interval must hold such a step, and narrows that by cubic interpolation, as PyTorch's `LBFGS`.
 * @param start The point at position 0, its slope below 0. @param first Position of the first trial.
 * @see Nocedal, Wright (2006), "Numerical Optimization", https://doi.org/10.1007/978-0-387-40065-5, algorithms 3.5 and 3.6
 */
export async function searchStrongWolfe<Point extends LinePoint>(
  evaluate: (position: number) => Promise<Point>,
  start: Point,
  first: number,
  { maxEvaluations, smallestInterval }: LineSearchLimits,
): Promise<LineSearchResult<Point>> {
  const isTooHigh = ({ position, loss }: LinePoint): boolean =>
    loss > start.loss + SUFFICIENT_DECREASE * position * start.slope;
  const isLevel = ({ slope }: LinePoint): boolean => Math.abs(slope) <= -LEFT_SLOPE * start.slope;
  let trial = await evaluate(first);
  let count = 0;
  let interval: [Point, Point] | undefined;
  for (let previous = start; count < maxEvaluations; count++) {
    if (isTooHigh(trial) || (count > 1 && trial.loss >= previous.loss)) interval = [previous, trial];
    else if (isLevel(trial)) return { point: trial, evaluations: count + 1 };
    else if (trial.slope >= 0) interval = [previous, trial];
    if (interval !== undefined) break;
    const nearest = trial.position + LEAST_STRIDE * (trial.position - previous.position);
    const next = cubicMinimum(previous, trial, [nearest, trial.position * LARGEST_FACTOR]);
    previous = trial;
    trial = await evaluate(next);
  }
  interval ??= [start, trial];

  let low = lowerOf(interval);
  let wasNearEnd = false;
  while (count < maxEvaluations) {
    const positions = interval.map(({ position }) => position);
    const [from, to] = [Math.min(...positions), Math.max(...positions)];
    if (to - from < smallestInterval) break;
    let position = cubicMinimum(interval[0], interval[1], [from, to]);
    const margin = NEAR_END * (to - from);
    const isNearEnd = Math.min(to - position, position - from) < margin;
    const isPushed: boolean = isNearEnd && (wasNearEnd || position >= to || position <= from);
    if (isPushed)
      position = Math.abs(position - to) < Math.abs(position - from) ? to - margin : from + margin;
    wasNearEnd = isNearEnd && !isPushed;
    trial = await evaluate(position);
    count++;
    const high = 1 - low;
    if (isTooHigh(trial) || trial.loss >= interval[low].loss) {
      interval[high] = trial;
      low = lowerOf(interval);
      continue;
    }
    if (isLevel(trial)) return { point: trial, evaluations: count + 1 };
    if (trial.slope * (interval[high].position - interval[low].position) >= 0) interval[high] = interval[low];
    interval[low] = trial;
  }
  return { point: interval[low], evaluations: count + 1 };
}

function lowerOf([first, second]: readonly [LinePoint, LinePoint]): 0 | 1 {
  return first.loss <= second.loss ? 0 : 1;
}

/** Where the cubic through two points with their slopes is lowest, within bounds; their middle where it has no minimum. */
function cubicMinimum(a: LinePoint, b: LinePoint, [from, to]: readonly [number, number]): number {
  const [left, right] = a.position <= b.position ? [a, b] : [b, a];
  const bend = a.slope + b.slope - (3 * (a.loss - b.loss)) / (a.position - b.position);
  const root = Math.sqrt(bend * bend - a.slope * b.slope); // NaN where there is no minimum
  const share = (right.slope + root - bend) / (right.slope - left.slope + 2 * root);
  const lowest = right.position - (right.position - left.position) * share;
  return Number.isNaN(lowest) ? (from + to) / 2 : Math.min(Math.max(lowest, from), to);
}
