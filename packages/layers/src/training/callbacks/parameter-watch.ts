import { InputError, read, type TypedArray } from "@ai/tensor";
import type { Parameter } from "../../parameter.js";
import { assertBins, assertModule, type ParameterStatistics, statisticsOf } from "../parameter-statistics.js";
import type { GradientUpdate, TrainingRun } from "./callback.js";

const DEFAULT_STEPS = 100;

/** Which parameters are looked at, and when. */
export interface WatchParametersOptions {
  /** Look after every so-manieth step. Default 100. */
  readonly everySteps?: number;
  /** Add histograms of so many bins. */
  readonly bins?: number;
  /** Only parameters whose path this is true of. */
  readonly match?: (path: string) => boolean;
}

interface Seen {
  readonly path: string;
  readonly parameter: Parameter;
  readonly before: TypedArray;
  readonly gradientNorm: number | undefined;
}

/** Looks at parameters around an update. */
export class ParameterWatch {
  readonly #operation: string;
  readonly #options: WatchParametersOptions;
  #seen: readonly Seen[] | undefined;

  /** @throws InputError for counts below 1. */
  constructor(operation: string, options: WatchParametersOptions) {
    const { everySteps = DEFAULT_STEPS, bins } = options;
    if (!Number.isInteger(everySteps) || everySteps < 1)
      throw new InputError(`${operation}: expected an integer everySteps of at least 1, got ${everySteps}`);
    assertBins(operation, bins);
    this.#operation = operation;
    this.#options = options;
  }

  /** Before the update of a step that counts: notes values and gradients. @throws InputError for a model that is no module. */
  async before({ parameters, gradients }: GradientUpdate, { trainer }: TrainingRun): Promise<void> {
    const { everySteps = DEFAULT_STEPS, match = () => true } = this.#options;
    this.#seen = undefined;
    if ((trainer.step + 1) % everySteps !== 0) return;
    const { model } = trainer;
    assertModule(this.#operation, model);
    const byParameter = new Map(parameters.map((parameter, index) => [parameter, gradients[index]]));
    const named = model.namedParameters().filter(([path]) => match(path));
    this.#seen = await Promise.all(
      named.map(async ([path, parameter]) => {
        const gradient = byParameter.get(parameter) ?? null;
        const [values, slopes] = [read(parameter.value), gradient === null ? undefined : read(gradient)];
        const gradientNorm = slopes === undefined ? undefined : statisticsOf(await slopes).norm;
        return { path, parameter, before: await values, gradientNorm };
      }),
    );
  }

  /** After the update. @returns undefined after a step that does not count. */
  async after(): Promise<ParameterStatistics[] | undefined> {
    const seen = this.#seen;
    this.#seen = undefined;
    if (seen === undefined) return undefined;
    return Promise.all(
      seen.map(async ({ path, parameter, before, gradientNorm }) => {
        const values = await read(parameter.value);
        const length = statisticsOf(before).norm;
        const change = statisticsOf(
          Float64Array.from(values, (value, index) => value - before[index]) as never,
        );
        return {
          path,
          shape: [...parameter.shape],
          frozen: !parameter.requiresGrad,
          ...statisticsOf(values, this.#options.bins),
          ...(gradientNorm === undefined ? {} : { gradientNorm }),
          ...(gradientNorm === undefined || length === 0 ? {} : { updateRatio: change.norm / length }),
        };
      }),
    );
  }
}
