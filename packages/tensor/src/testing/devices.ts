import { afterAll, beforeAll, describe } from "vitest";
import { holdUncollected } from "../collected.js";
import { type DeviceName, useDevice } from "../device.js";
import { testEngineStarted } from "./test-engine.js";

declare const __AI_TEST_DEVICES__: string;
declare const __AI_REQUIRED_DEVICES__: string;

const listed = (text: string): DeviceName[] => text.split(",").filter((name) => name !== "") as DeviceName[];

/** Devices that tests run on, from the test runner's configuration. */
export const TEST_DEVICES: readonly DeviceName[] = listed(__AI_TEST_DEVICES__);
const REQUIRED: readonly DeviceName[] = listed(__AI_REQUIRED_DEVICES__);

await testEngineStarted;

// tests count tensors: what one of them forgot must not vanish in the middle of the next
holdUncollected(true);

const available = new Map<DeviceName, string | undefined>();

/** Why a device is absent, or undefined when it starts. */
export async function whyAbsent(device: DeviceName): Promise<string | undefined> {
  if (!available.has(device)) {
    try {
      await useDevice(device, { allowSoftwareAdapter: true });
      available.set(device, undefined);
    } catch (error) {
      available.set(device, error instanceof Error ? error.message : String(error));
    }
  }
  return available.get(device);
}

const absences = await (async () => {
  const reasons = new Map<DeviceName, string>();
  for (const device of TEST_DEVICES) {
    const reason = await whyAbsent(device);
    if (reason === undefined) continue;
    if (REQUIRED.includes(device))
      throw new Error(`device ${device} is required by this run but absent: ${reason}`);
    reasons.set(device, reason);
  }
  return reasons;
})();

/**
 * Declares the same tests once a device. An absent device is a skipped group that names the reason;
 * it is a failure when the run requires it. `only` narrows the devices, for tests of what one device alone has.
 */
export function describeEachDevice(
  title: string,
  body: (device: DeviceName) => void,
  only: readonly DeviceName[] = TEST_DEVICES,
): void {
  for (const device of TEST_DEVICES) {
    if (!only.includes(device)) continue;
    const absent = absences.get(device);
    if (absent !== undefined) {
      describe.skip(`${title} (${device} absent: ${absent})`, () => body(device));
      continue;
    }
    describe(`${title} (${device})`, () => {
      beforeAll(async () => {
        await useDevice(device, { allowSoftwareAdapter: true });
      });
      afterAll(async () => {
        await checkDeviceErrors(device);
      });
      body(device);
    });
  }
}

/** Fails when the device met an error that no test awaited. */
async function checkDeviceErrors(device: DeviceName): Promise<void> {
  if (device !== "webgpu") return;
  const { takeUncapturedErrors } = await import("../backends/webgpu/errors.js");
  const errors = await takeUncapturedErrors();
  if (errors.length > 0) throw new Error(`uncaptured GPU errors:\n${errors.join("\n")}`);
}
