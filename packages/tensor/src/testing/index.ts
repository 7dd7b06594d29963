export { describeEachDevice, TEST_DEVICES } from "./devices.js";
export { type Fixture, loadFixture } from "./fixtures.js";
export { expectNoLeak } from "./leaks.js";
export { difference, type HostTensor, type ToleranceOptions } from "./matcher.js";
