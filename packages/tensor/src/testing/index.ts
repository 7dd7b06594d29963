export { describeKernel, type KernelCase, randomHostTensor } from "./describe-kernel.js";
export { describeEachDevice, TEST_DEVICES } from "./devices.js";
export { expectFixtureCase } from "./expect-fixture-case.js";
export { type Fixture, loadFixture } from "./fixtures.js";
export { expectNoLeak } from "./leaks.js";
export { difference, type HostTensor, type ToleranceOptions } from "./matcher.js";
