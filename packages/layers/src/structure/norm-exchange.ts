import { InputError, mul, noGrad, tidy } from "@ai/tensor";
import { assertOneOf } from "../checks.js";
import { GroupNorm, InstanceNorm1d, InstanceNorm2d, InstanceNorm3d, RMSNorm } from "../group-norm.js";
import { BatchNorm1d, BatchNorm2d, BatchNorm3d, LayerNorm } from "../normalization.js";
import type { Parameter } from "../parameter.js";
import { assertOptionNames } from "../training/option-names.js";

type BatchNorm = BatchNorm1d | BatchNorm2d | BatchNorm3d;
type InstanceNorm = InstanceNorm1d | InstanceNorm2d | InstanceNorm3d;

/** Norms that {@link toNorm} takes and makes: all over channels that come last. */
export type AnyNorm = LayerNorm | RMSNorm | GroupNorm | BatchNorm | InstanceNorm;

const KINDS = {
  LayerNorm,
  RMSNorm,
  GroupNorm,
  BatchNorm1d,
  BatchNorm2d,
  BatchNorm3d,
  InstanceNorm1d,
  InstanceNorm2d,
  InstanceNorm3d,
} as const;

/** Class that {@link toNorm} makes. */
export type NormName = keyof typeof KINDS;

/** Options of {@link toNorm}. */
export interface ToNormOptions {
  /** Default: that of the old norm. */
  readonly epsilon?: number;
  /** Groups of a GroupNorm, which needs it. */
  readonly numGroups?: number;
}

/**
 * Makes norms of one kind of others, with their `weight` and `bias`. For {@link replaceModules}, which carries running
 * statistics from batch norm to batch norm too. A `bias` that the old kind does not have starts at 0.
 * @returns a factory of new modules; the old ones stay as they are.
 * @throws InputError for another name or options that do not fit; the factory for modules that are no norms, or a LayerNorm over
 * several axes.
 * @example
 * replaceModules<LayerNorm>(model, (module) => module instanceof LayerNorm, toNorm("RMSNorm"));
 */
export function toNorm(name: NormName, options: ToNormOptions = {}): (old: AnyNorm) => AnyNorm {
  assertOneOf("toNorm", "name", name, Object.keys(KINDS));
  assertOptionNames("toNorm", options, ["epsilon", "numGroups"]);
  const { numGroups } = options;
  if ((numGroups !== undefined) !== (name === "GroupNorm"))
    throw new InputError(
      `toNorm: expected numGroups for GroupNorm and for it alone, got ${String(numGroups)} for ${name}`,
    );
  return (old) => {
    const features = featuresOf(old);
    const epsilon = options.epsilon ?? old.epsilon;
    const affine = old.weight !== undefined;
    const oldBias = old instanceof RMSNorm ? undefined : old.bias;
    const made = build(name, { old, features, epsilon, affine, numGroups, bias: oldBias !== undefined });
    old.parameters(); // draws what has no values yet
    give(made.weight, old.weight);
    give(made instanceof RMSNorm ? undefined : made.bias, oldBias);
    return made;
  };
}

interface NormParts {
  readonly old: AnyNorm;
  readonly features: number;
  readonly epsilon: number;
  readonly affine: boolean;
  readonly numGroups: number | undefined;
  /** Whether the old norm has a bias. */
  readonly bias: boolean;
}

function build(
  name: NormName,
  { old, features, epsilon, affine, numGroups, bias: hasBias }: NormParts,
): AnyNorm {
  if (name === "LayerNorm") {
    const bias = hasBias || old instanceof RMSNorm;
    return new LayerNorm(features, { epsilon, elementwiseAffine: affine, bias });
  }
  if (name === "RMSNorm") return new RMSNorm(features, { epsilon, elementwiseAffine: affine });
  if (name === "GroupNorm") return new GroupNorm(numGroups!, features, { epsilon, affine });
  if (name === "InstanceNorm1d" || name === "InstanceNorm2d" || name === "InstanceNorm3d")
    return new KINDS[name](features, { epsilon, affine });
  const running = isBatchNorm(old)
    ? { momentum: old.momentum, trackRunningStats: old.runningMean !== undefined }
    : {};
  return new KINDS[name](features, { epsilon, affine, ...running });
}

function isBatchNorm(module: AnyNorm): module is BatchNorm {
  return module instanceof BatchNorm1d || module instanceof BatchNorm2d || module instanceof BatchNorm3d;
}

function featuresOf(old: AnyNorm): number {
  if (!Object.values(KINDS).some((kind) => (old as unknown) instanceof kind))
    throw new InputError(
      `toNorm: expected a norm, got ${(old as object | null)?.constructor?.name ?? typeof old}; let the predicate pick others`,
    );
  if (old instanceof GroupNorm) return old.numChannels;
  if (!(old instanceof LayerNorm || old instanceof RMSNorm)) return old.numFeatures;
  if (old.normalizedShape.length !== 1)
    throw new InputError(
      `toNorm: expected a norm over one axis, got one over [${old.normalizedShape.join(", ")}]; leave it out`,
    );
  return old.normalizedShape[0];
}

function give(target: Parameter | undefined, source: Parameter | undefined): void {
  if (target === undefined || source === undefined) return;
  target.setValue(noGrad(() => tidy(() => mul(source.value, 1))));
  target.requiresGrad = source.requiresGrad;
}
