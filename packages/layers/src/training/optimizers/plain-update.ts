import { add, keep, mul, neg, noGrad, sub, type Tensor, tidy, zerosLike } from "@ai/tensor";
import type { OptimizerBuffer } from "./optimizer.js";

/** The new values of a parameter and of the buffers of its update, by name. */
export type UpdatedValues<Names extends string> = Readonly<Record<Names | "parameter", Tensor>>;

/**
 * Runs an update that is written with plain ops: what `compute` returns replaces the parameter and the buffers.
 * @param compute Gets the buffers' values, zeros `[...]` of the gradient's shape before the first update.
 */
export function updateByOps<Names extends string>(
  target: { value: Tensor },
  gradient: Tensor,
  buffers: Readonly<Record<Names, OptimizerBuffer>>,
  compute: (values: Readonly<Record<Names, Tensor>>) => UpdatedValues<Names>,
): void {
  const names = Object.keys(buffers) as Names[];
  const updated = noGrad(() =>
    tidy(() => {
      const values = names.map((name) => [name, buffers[name].value ?? zerosLike(gradient)] as const);
      const { parameter, ...all } = compute(Object.fromEntries(values) as Record<Names, Tensor>);
      return { parameter, kept: names.map((name) => (all as Readonly<Record<Names, Tensor>>)[name]) };
    }),
  );
  names.forEach((name, index) => {
    const old = buffers[name].value;
    buffers[name].value = keep(updated.kept[index]);
    old?.dispose();
  });
  target.value = updated.parameter;
}

/** The gradient to descend along, with an L2 penalty. @param gradient `[...]` @param parameter `[...]` @returns `[...]` */
export function descent(
  gradient: Tensor,
  parameter: Tensor,
  { maximize, weightDecay }: { readonly maximize: boolean; readonly weightDecay: number },
): Tensor {
  const direction = maximize ? neg(gradient) : gradient;
  return weightDecay === 0 ? direction : add(direction, mul(parameter, weightDecay));
}

/**
 * `from + share · (to − from)`, as `torch.lerp` rounds it: what equals its target stays, where a {@link blend} of float32
 * weights, whose sum is not quite 1, ends some 10⁻⁴ away. @param from `[...]` @param to `[...]` @returns `[...]`
 */
export function lerp(from: Tensor, to: Tensor, share: number): Tensor {
  const way = sub(to, from); // [...]
  return share < 0.5 ? add(from, mul(way, share)) : sub(to, mul(way, 1 - share));
}

/** `(1 − share) · from + share · to` as a weighted sum. @param from `[...]` @param to `[...]` @returns `[...]` */
export function blend(from: Tensor, to: Tensor, share: number): Tensor {
  return add(mul(from, 1 - share), mul(to, share));
}
