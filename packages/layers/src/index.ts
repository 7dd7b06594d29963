export * from "./module.js";
export * from "./parameter.js";
export type { ParameterGroup, ParameterGroupRule } from "./parameter-groups.js";
export type { LoadOptions, LoadReport, StateDict, StateEntry } from "./state-dict.js";
export type { InputDescription, ModuleSummary, SummaryRow } from "./summary.js";
