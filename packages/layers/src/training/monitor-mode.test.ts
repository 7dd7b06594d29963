import { describe, expect, it } from "vitest";
import { checkpoints } from "./callbacks/checkpoints.js";
import { earlyStopping } from "./callbacks/early-stopping.js";

describe("what a run is judged by", () => {
  it("wants to know which values are good, unless the name says it", () => {
    for (const monitor of [
      "loss",
      "validation.loss",
      "validation.rmse",
      "validation.error",
      "validation.WER",
    ]) {
      expect(() => earlyStopping({ monitor })).not.toThrow();
      expect(() => checkpoints({ folder: "run", monitor })).not.toThrow();
    }
    expect(() => earlyStopping({ monitor: "validation.answer" })).toThrow(/expected a mode/);
    const monitor = "validation.accuracy";
    expect(() => earlyStopping({ monitor })).toThrow(
      /^earlyStopping: expected a mode for validation.accuracy, got none; pass mode: "max" where large/,
    );
    expect(() => checkpoints({ folder: "run", monitor })).toThrow(/^checkpoints: expected a mode/);
    expect(() => earlyStopping({ monitor, mode: "max" })).not.toThrow();
    expect(() => earlyStopping({ monitor, mode: "best" as never })).toThrow(
      /expected mode min or max, got best/,
    );
  });
});
