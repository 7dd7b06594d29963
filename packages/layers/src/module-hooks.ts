import type { AnyModule } from "./module.js";

/** Runs before a call and may replace its inputs by returning others. */
export type ForwardPreHook<Inputs extends readonly unknown[] = readonly unknown[]> = (
  module: AnyModule,
  inputs: Inputs,
) => Inputs | undefined;

/** Runs after a call and may replace its output by returning another. */
export type ForwardHook<Inputs extends readonly unknown[] = readonly unknown[], Output = unknown> = (
  module: AnyModule,
  inputs: Inputs,
  output: Output,
) => Output | undefined;
