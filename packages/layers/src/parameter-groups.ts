import { InputError } from "@ai/tensor";
import type { Parameter } from "./parameter.js";

/** Which parameters get options of their own. */
export interface ParameterGroupRule<Options extends object> {
  /** Whether the parameter at this path belongs to the group. */
  readonly match: (path: string, parameter: Parameter) => boolean;
  /** What the optimizer does differently for the group. */
  readonly options: Options;
}

/** Parameters that an optimizer treats alike. */
export interface ParameterGroup<Options extends object = object> {
  readonly names: readonly string[];
  readonly parameters: readonly Parameter[];
  /** Options that differ from the optimizer's own; none for the group of the rest. */
  readonly options: Partial<Options>;
}

/**
 * Each parameter goes to the first rule that matches it, the rest to a last group; a last group without parameters is left out.
 * @throws InputError for a rule that gets no parameter: its names are misspelt or an earlier rule took them.
 */
export function groupParameters<Options extends object>(
  parameters: readonly (readonly [path: string, parameter: Parameter])[],
  rules: readonly ParameterGroupRule<Options>[],
): ParameterGroup<Options>[] {
  const members: (readonly [string, Parameter])[][] = [...rules, undefined].map(() => []);
  for (const entry of parameters) {
    const index = rules.findIndex(({ match }) => match(entry[0], entry[1]));
    members[index < 0 ? rules.length : index].push(entry);
  }
  const empty = rules.findIndex((_, index) => members[index].length === 0);
  if (empty >= 0)
    throw new InputError(
      `parameterGroups: expected rules that match parameters, got none for rule ${empty}; check its names and order`,
    );
  return members.flatMap((entries, index) =>
    entries.length === 0
      ? []
      : [
          {
            names: entries.map(([path]) => path),
            parameters: entries.map(([, parameter]) => parameter),
            options: rules[index]?.options ?? {},
          },
        ],
  );
}
