import {
  add,
  div,
  exp,
  InputError,
  keep,
  logSoftmax,
  mul,
  noGrad,
  ShapeError,
  sub,
  sum,
  type Tensor,
  tidy,
} from "@ai/tensor";
import { assertProbability, formatShape } from "../checks.js";
import { type AnyModule, Module } from "../module.js";
import { CrossEntropyLoss, mseLoss } from "./losses/index.js";
import { rememberModes } from "./modes.js";
import { assertOptionNames } from "./option-names.js";
import type { Loss } from "./trainer-options.js";
import type { ComputeLoss } from "./training-step.js";

/** Options of {@link softTargetLoss}. */
export interface SoftTargetLossOptions {
  /** Divides the logits of both; higher shows more of what the teacher thinks of wrong classes. Default 2. */
  readonly temperature?: number;
}

/** Features of a layer of the student that are to be those of a layer of the teacher. */
export interface FeatureMatch {
  /** Paths of the two layers. */
  readonly student: string;
  readonly teacher: string;
  /** Factor of their mean squared error. Default 1. */
  readonly weight?: number;
  /** Makes the teacher's shape of the student's features; a module that it calls belongs into the student, to be trained and saved. */
  readonly project?: (features: Tensor) => Tensor;
}

/** Options of {@link distillation}. */
export interface DistillationOptions extends SoftTargetLossOptions {
  /** The trained model; it answers in evaluation mode and is never changed, its own mode included. */
  readonly teacher: Module<[input: Tensor], Tensor>;
  /** Share of the teacher's answers in the loss, in [0, 1]; the labels have the rest. Default 0.5. */
  readonly softShare?: number;
  /** Compares the student's answers with the labels. Default cross-entropy. */
  readonly hardLoss?: Loss;
  /** Layers whose outputs are to be alike. Default none. */
  readonly features?: readonly FeatureMatch[];
}

/**
 * How far a student's answers are from a teacher's: `T² · mean over rows of Σ p·(log p − log q)`, `p` and `q` the softmax of
 * the teacher's and the student's logits divided by the temperature `T`. The factor keeps the gradient's size for any `T`.
 * @param student `[..., classes]` logits
 * @param teacher `[..., classes]` logits, constant to the gradient
 * @returns `[]`
 * @throws ShapeError when the shapes differ; InputError for a temperature that is not above 0.
 * @see Hinton, Vinyals, Dean (2015), "Distilling the knowledge in a neural network", https://arxiv.org/abs/1503.02531, section 2
 */
export function softTargetLoss(
  student: Tensor,
  teacher: Tensor,
  options: SoftTargetLossOptions = {},
): Tensor {
  assertOptionNames("softTargetLoss", options, ["temperature"]);
  const { temperature = 2 } = options;
  assertTemperature("softTargetLoss", temperature);
  if (student.shape.join() !== teacher.shape.join() || student.shape.length === 0)
    throw new ShapeError(
      `softTargetLoss: expected logits of the same shape, got ${formatShape(student.shape)} of the student and ${formatShape(teacher.shape)} of the teacher`,
    );
  return tidy(() => {
    const expected = noGrad(() => logSoftmax(div(teacher, temperature)));
    const actual = logSoftmax(div(student, temperature));
    const rows = student.size / student.shape[student.shape.length - 1];
    return mul(
      sum(
        mul(
          noGrad(() => exp(expected)),
          sub(expected, actual),
        ),
      ),
      temperature ** 2 / rows,
    );
  });
}

/**
 * The loss of a Trainer that makes a small model answer as a large one does, for batches `[input, target]`:
 * `softShare · softTargetLoss + (1 − softShare) · hardLoss + Σ weight · mean squared error of features`.
 * @throws InputError for options that do not exist or fit, or a layer that is not there.
 * @see Hinton, Vinyals, Dean (2015), "Distilling the knowledge in a neural network", https://arxiv.org/abs/1503.02531
 * @see Romero et al. (2015), "FitNets: hints for thin deep nets", https://arxiv.org/abs/1412.6550 (features)
 * @example
 * const trainer = new Trainer({
 *   model: student,
 *   optimizer: new AdamW(student.parameters(), { learningRate: 1e-3 }),
 *   computeLoss: distillation({ teacher, temperature: 4, softShare: 0.9 }),
 * });
 */
export function distillation(
  options: DistillationOptions,
): ComputeLoss<readonly Tensor[], Module<[input: Tensor], Tensor>> {
  assertOptionNames("distillation", options, ["teacher", "temperature", "softShare", "hardLoss", "features"]);
  const {
    teacher,
    temperature = 2,
    softShare = 0.5,
    hardLoss = new CrossEntropyLoss(),
    features = [],
  } = options;
  if (!(teacher instanceof Module))
    throw new InputError(`distillation: expected a module as teacher, got ${typeof teacher}`);
  assertTemperature("distillation", temperature);
  assertProbability("distillation", "softShare", softShare);
  if (typeof hardLoss !== "function" && typeof hardLoss?.call !== "function")
    throw new InputError(`distillation: expected a function or a loss as hardLoss, got ${typeof hardLoss}`);
  const isList: boolean = Array.isArray(features);
  if (!isList)
    throw new InputError(
      `distillation: expected features as an array, got ${typeof features}; put it into []`,
    );
  for (const match of features) {
    assertOptionNames("distillation: a feature", match, ["student", "teacher", "weight", "project"]);
    const { weight = 1 } = match;
    if (!(weight > 0 && Number.isFinite(weight)))
      throw new InputError(`distillation: expected a weight above 0 for ${match.student}, got ${weight}`);
  }
  return (batch, student) => {
    const [input, target] = batch;
    if (batch.length !== 2 || target === undefined)
      throw new InputError(`distillation: expected batches [input, target], got ${batch.length} tensors`);
    const learned = withFeatures(
      "student",
      student,
      features.map((match) => match.student),
    );
    let taught: Features | undefined;
    try {
      const theirFeatures = withFeatures(
        "teacher",
        teacher,
        features.map((match) => match.teacher),
      );
      taught = theirFeatures;
      const expected = noGrad(() => {
        const restoreModes = rememberModes(teacher);
        try {
          teacher.eval();
          return teacher.call(input);
        } finally {
          restoreModes();
        }
      });
      const output = student.call(input);
      let loss = mul(softTargetLoss(output, expected, { temperature }), softShare);
      if (softShare < 1) {
        const hard =
          typeof hardLoss === "function" ? hardLoss(output, target) : hardLoss.call(output, target);
        loss = add(loss, mul(hard, 1 - softShare));
      }
      features.forEach(({ weight = 1, project = (x) => x, ...paths }, index) => {
        const [mine, theirs] = [project(learned.feature(index)), theirFeatures.feature(index)];
        if (mine.shape.join() !== theirs.shape.join())
          throw new ShapeError(
            `distillation: expected features of the same shape, got ${formatShape(mine.shape)} of ${paths.student} and ${formatShape(theirs.shape)} of ${paths.teacher}; pass project`,
          );
        loss = add(loss, mul(mseLoss(mine, theirs), weight));
      });
      return { loss, output, target };
    } finally {
      taught?.free();
      learned.free();
    }
  };
}

function assertTemperature(operation: string, temperature: number): void {
  if (!(temperature > 0 && Number.isFinite(temperature)))
    throw new InputError(`${operation}: expected a temperature above 0, got ${String(temperature)}`);
}

/** What some layers gave. */
interface Features {
  feature(index: number): Tensor;
  free(): void;
}

/** Keeps what layers give until it is freed. @throws InputError for a path that is not there. */
function withFeatures(
  role: string,
  model: Module<[input: Tensor], Tensor>,
  paths: readonly string[],
): Features {
  const modules = new Map<string, AnyModule>(paths.length === 0 ? [] : model.namedModules());
  const lost = paths.find((path) => !modules.has(path));
  if (lost !== undefined)
    throw new InputError(
      `distillation: expected a layer of the ${role}, got "${lost}"; it has ${[...modules.keys()].filter((path) => path !== "").join(", ")}`,
    );
  const found = new Map<string, Tensor>();
  const removers = [...new Set(paths)].map((path) =>
    modules.get(path)!.registerForwardHook((_, __, output) => {
      found.get(path)?.dispose();
      found.set(path, keep(output as Tensor));
      return undefined;
    }),
  );
  return {
    feature(index) {
      const feature = found.get(paths[index]);
      if (feature === undefined)
        throw new InputError(
          `distillation: expected the ${role} to call ${paths[index]}, got a call without it; name another layer`,
        );
      return feature;
    },
    free() {
      for (const remove of removers) remove();
      for (const tensor of found.values()) tensor.dispose();
    },
  };
}
