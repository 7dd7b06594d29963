import {
  type DeviceDescription,
  type DeviceName,
  type DeviceOptions,
  describeDevice,
  useDevice,
} from "@ai/tensor";

/** What one thread's device is used for at this moment: several pieces of work on one device, never on two at a time. */
interface Waiting {
  readonly device: DeviceName | undefined;
  readonly start: () => void;
}

let holders = 0;
let held: DeviceName | undefined;
const waiting: Waiting[] = [];

/** Work without a device of its own (choosing one) is alone. */
function mayEnter(device: DeviceName | undefined): boolean {
  return holders === 0 || (device !== undefined && device === held);
}

async function enter(device: DeviceName | undefined): Promise<void> {
  if (waiting.length > 0 || !mayEnter(device))
    return new Promise((resolve) => {
      waiting.push({ device, start: resolve });
    });
  holders++;
  held = device;
}

function leave(): void {
  holders--;
  while (waiting.length > 0 && mayEnter(waiting[0].device)) {
    const { device, start } = waiting.shift()!;
    holders++;
    held = device;
    start();
  }
}

/** Chooses and starts a device while no task computes. @throws as `useDevice` does. */
export async function chooseDevice(
  device: DeviceName | undefined,
  options: DeviceOptions | undefined,
): Promise<DeviceDescription> {
  await enter(undefined);
  try {
    return await useDevice(device, options);
  } finally {
    leave();
  }
}

/**
 * Runs `work` while `device` is the one in use: tasks on one device share it, tasks on another wait until it is free.
 * The device stays in use afterwards.
 */
export async function onDevice<Result>(
  device: DeviceName,
  options: DeviceOptions | undefined,
  work: () => Result | Promise<Result>,
): Promise<Result> {
  await enter(device);
  try {
    if (describeDevice().device !== device) await useDevice(device, options);
    return await work();
  } finally {
    leave();
  }
}
