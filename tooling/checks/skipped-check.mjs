/** Thrown by a check that cannot run here: its message is the reason, and `npm test` counts it as skipped. */
export class SkippedCheck extends Error {}
