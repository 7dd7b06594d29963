import { dispose, grad, InputError, mean, mul, relu, ShapeError, sum, type Tensor } from "@ai/tensor";
import { formatShape } from "../checks.js";
import type { AnyModule } from "../module.js";
import { EXPLAIN_OPTIONS, type ExplainOptions, type Explanation, type OutputOf } from "./explain-options.js";
import { resizeLinear } from "./resize-linear.js";
import { joined, replacing, Subject } from "./subject.js";

/** Options of {@link gradCam}. */
export interface GradCamOptions<Output = Tensor> extends ExplainOptions<Output> {
  /** The layer to look at, by path or itself: the last one that still has positions. It must be called once and give one tensor. */
  readonly layer: string | AnyModule;
  /** Makes `[rows, ...positions, channels]` of what the layer gives, where it gives something else: tokens to a grid. */
  readonly activationMap?: (activation: Tensor) => Tensor;
  /** Leave out what speaks against the target. Default true. */
  readonly relu?: boolean;
  /** Enlarge the map to the input's positions, linearly. Default true. */
  readonly upsample?: boolean;
}

/**
 * Where a layer sees the target: `relu(Σ_c w_c · A_c)` with the layer's channels `A` and `w_c` the mean over positions of
 * the target's gradient.
 * @param x `[batch, height, width, channels]`, `[batch, length, dim]`, token ids `[batch, length]`, or a volume
 * @returns `values` `[batch, height, width]` or `[batch, length]`, at least 0 with `relu`; without `upsample` of the layer's size.
 * @throws InputError or ShapeError for a layer, a target or options that do not fit; the signal's reason.
 * @see Selvaraju et al. (2017), "Grad-CAM: visual explanations from deep networks via gradient-based localization", https://arxiv.org/abs/1610.02391
 * @example
 * const { values, shape } = await gradCam(model, image, { layer: "layer4", target: 281 }); // shape [1, height, width]
 */
export async function gradCam<Model extends AnyModule>(
  model: Model,
  x: Tensor,
  options: GradCamOptions<OutputOf<Model>>,
): Promise<Explanation> {
  const names = [...EXPLAIN_OPTIONS, "layer", "activationMap", "relu", "upsample"];
  const subject = new Subject("gradCam", { model, x, names }, options);
  const { relu: rectify = true, upsample = true, activationMap } = options;
  const layer = subject.layer(options.layer);
  const scores = await subject.begin();
  const maps: Float32Array[] = [];
  let size: number[] = [];

  const mapOf = (rows: number[]): Tensor[] => {
    const input = subject.take(rows);
    const activation = subject.capture(layer, () => subject.call(rows, input));
    try {
      const [gradient] = grad(
        (output) => sum(replacing(layer, output, () => subject.score(rows, input))),
        [activation],
        { allowUnused: true },
      );
      if (gradient === null)
        throw new InputError(
          "gradCam: expected a layer that the target depends on, got one without influence",
        );
      const [values, slopes] = [activation, gradient].map((tensor) => activationMap?.(tensor) ?? tensor);
      assertMap(values, rows.length);
      const axes = values.shape.slice(1, -1).map((_, axis) => axis + 1);
      const weights = mean(slopes, { axes, keepDims: true }); // [rows, 1, …, channels]
      const map = sum(mul(weights, values), { axes: -1 }); // [rows, ...positions]
      size = map.shape.slice(1);
      return [rectify ? relu(map) : map];
    } finally {
      dispose(activation);
    }
  };
  await subject.forEachBatch(subject.batch, mapOf, (_, [map]) => maps.push(map));

  const whole = joined(maps);
  const wanted = upsample ? positionsOf(x, size) : size;
  return {
    values: upsample ? resizeLinear(whole, [subject.batch, ...size], wanted) : whole,
    shape: [subject.batch, ...wanted],
    scores,
    classes: subject.classes,
  };
}

function assertMap({ shape }: Tensor, rows: number): void {
  if (shape.length < 3 || shape[0] !== rows)
    throw new ShapeError(
      `gradCam: expected a layer that gives [${rows}, ...positions, channels], got ${formatShape(shape)}; choose an earlier layer or pass activationMap`,
    );
}

/** Positions of an input: all axes but the batch and, where there is one, the channels. */
function positionsOf({ shape }: Tensor, size: readonly number[]): number[] {
  if (shape.length === size.length + 2) return shape.slice(1, -1);
  if (shape.length === size.length + 1) return shape.slice(1);
  throw new ShapeError(
    `gradCam: expected an input with as many positions as the layer's ${formatShape(size)}, got ${formatShape(shape)}; pass { upsample: false } or activationMap`,
  );
}
