import { findBackend } from "@tensorflow/tfjs-core";
import type { StartedDevice } from "../../device.js";

/** Starts tfjs's plain JavaScript backend. */
export async function startCpu(): Promise<StartedDevice> {
  await import("@tensorflow/tfjs-backend-cpu");
  const backend = findBackend("cpu") as unknown as { firstUse: boolean };
  backend.firstUse = false; // no banner
  return { backend: "cpu", hardware: "JavaScript", threads: 1, features: [] };
}
