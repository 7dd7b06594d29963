import type { AnyModule } from "./module.js";

// Methods, and a name, which every function has, beside the signature: so TypeScript lets a layer that also takes options pass
// for one that takes a tensor alone, as Sequential asks for. Of plain functions it compares the inputs one way only.

/** Runs before a call and may replace its inputs by returning others. */
export type ForwardPreHook<Inputs extends readonly unknown[] = readonly unknown[]> = {
  hook(module: AnyModule, inputs: Inputs): Inputs | undefined;
}["hook"] & { readonly name?: string };

/** Runs after a call and may replace its output by returning another. */
export type ForwardHook<Inputs extends readonly unknown[] = readonly unknown[], Output = unknown> = {
  hook(module: AnyModule, inputs: Inputs, output: Output): Output | undefined;
}["hook"] & { readonly name?: string };
