import { InputError } from "@ai/tensor";
import type { ScheduledOptimizer, ScheduledOptions } from "./schedule.js";

/** @throws InputError unless each group has a momentum or betas that a schedule can move. */
export function assertMomentum(schedule: string, optimizer: ScheduledOptimizer): void {
  for (const { options } of optimizer.groups) {
    const { momentum, betas } = options as ScheduledOptions;
    if (betas === undefined && !(momentum !== undefined && momentum > 0))
      throw new InputError(
        `${schedule}: expected an optimizer with momentum or betas, got one without; set cycleMomentum to false`,
      );
  }
}

/** One value for all groups, or one each. @throws InputError for another number of them. */
export function perGroup(
  schedule: string,
  name: string,
  value: number | readonly number[],
  { groups }: ScheduledOptimizer,
): readonly number[] {
  if (typeof value === "number") return groups.map(() => value);
  if (!Array.isArray(value) || value.length !== groups.length)
    throw new InputError(
      `${schedule}: expected ${name} as a number or ${groups.length} of them, got ${Array.isArray(value) ? `a list of ${value.length}` : typeof value}`,
    );
  return [...value];
}
