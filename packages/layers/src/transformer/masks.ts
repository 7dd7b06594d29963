import type { AttentionMasks } from "../attention-masks.js";
import { assertOptionNames } from "../training/option-names.js";

/** @throws InputError for another mask than an encoder or decoder layer passes on: `weights` would be lost there. */
export function assertMasks(masks: AttentionMasks): void {
  assertOptionNames("call", masks, ["keyPaddingMask", "attentionMask", "isCausal?"]);
}
