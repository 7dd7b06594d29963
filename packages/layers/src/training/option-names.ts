export { assertOptions as assertOptionNames } from "@ai/tensor";
