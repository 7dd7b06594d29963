import { DeviceError } from "../../errors.js";
import type { DeviceOptions, StartedDevice } from "../../device.js";

export async function startWebgpu(_options: DeviceOptions): Promise<StartedDevice> {
  throw new DeviceError("not built yet");
}
