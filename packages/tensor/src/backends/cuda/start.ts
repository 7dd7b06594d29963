import { DeviceError } from "../../errors.js";
import type { StartedDevice } from "../../device.js";

export async function startCuda(): Promise<StartedDevice> {
  throw new DeviceError("not built yet");
}
