/** Limits that each dispatch looks at. */
export interface DispatchLimits {
  readonly maxStorageBuffersPerShaderStage: number;
  readonly maxComputeWorkgroupsPerDimension: number;
  /** Bytes of the largest tensor that a kernel can bind. */
  readonly maxTensorBytes: number;
}

const known = new WeakMap<GPUDevice, DispatchLimits>();

/** A device's limits, read once: asking the device crosses into native code each time. */
export function limitsOf(device: GPUDevice): DispatchLimits {
  let limits = known.get(device);
  if (limits === undefined) {
    const { maxStorageBuffersPerShaderStage, maxComputeWorkgroupsPerDimension } = device.limits;
    const maxTensorBytes = Math.min(device.limits.maxStorageBufferBindingSize, device.limits.maxBufferSize);
    limits = { maxStorageBuffersPerShaderStage, maxComputeWorkgroupsPerDimension, maxTensorBytes };
    known.set(device, limits);
  }
  return limits;
}
