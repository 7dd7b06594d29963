import { DeviceError } from "../../errors.js";
import type { StartedDevice } from "../../device.js";

export async function startWasm(): Promise<StartedDevice> {
  throw new DeviceError("not built yet");
}
