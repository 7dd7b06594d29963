import type { Tensor } from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import type { DeviceName } from "../device.js";
import { memory } from "../memory.js";
import { describeEachDevice } from "./devices.js";
import { expectFixtureCase } from "./expect-fixture-case.js";
import type { Fixture } from "./fixtures.js";
import type { ToleranceOptions } from "./matcher.js";

/** An op as its stored case `OP/KIND` calls it: the inputs in order, and the kind, which may stand for options. */
export type FixtureOp = (inputs: Tensor[], kind: string) => Tensor | Tensor[];

/**
 * Declares one test an op and device, which runs every stored case `OP/…` of a fixture (values, gradients, second
 * derivatives) and counts tensors; and one test that ops and stored cases match, so that none is forgotten.
 * @param tolerance Looser than the default by device and case; state the reason.
 */
export function describeFixtureCases(
  title: string,
  fixture: Fixture,
  ops: Readonly<Record<string, FixtureOp>>,
  tolerance: (device: DeviceName, caseName: string) => ToleranceOptions = () => ({}),
): void {
  const caseNames = [...new Set(fixture.names.map((name) => name.slice(0, name.lastIndexOf("/"))))];
  const opOf = (caseName: string): string => caseName.slice(0, caseName.indexOf("/"));
  it(`${title}: a stored case for every op, and an op for every case`, () => {
    expect([...new Set(caseNames.map(opOf))].sort()).toEqual(Object.keys(ops).sort());
  });
  describeEachDevice(title, (device) => {
    for (const [name, op] of Object.entries(ops))
      it(name, async () => {
        const before = memory().numTensors;
        for (const caseName of caseNames)
          if (opOf(caseName) === name)
            await expectFixtureCase(
              fixture,
              caseName,
              (inputs) => op(inputs, caseName.slice(name.length + 1)),
              tolerance(device, caseName),
            );
        expect(memory().numTensors, "live tensors").toBe(before);
      });
  });
}
