/** Groups that are kept for a kernel; a model's step needs a few for each of its sizes. */
const MOST_GROUPS = 512;

const numbers = new WeakMap<GPUBuffer, number>();
let nextNumber = 1;

/** A number that no other buffer has or will have. */
function numberOf(buffer: GPUBuffer): number {
  let number = numbers.get(buffer);
  if (number === undefined) {
    number = nextNumber++;
    numbers.set(buffer, number);
  }
  return number;
}

/** The bind groups of one kernel, by the buffers that they bind. */
export type BindGroups = Map<string, GPUBindGroup>;

/**
 * A group that binds these buffers, in this order. tfjs's pool hands the same buffers to the same ops of every training
 * step, so groups are kept: to make one costs as much as the rest of a small dispatch. A buffer that was destroyed is
 * never asked for again, so its groups need no care; {@link MOST_GROUPS} bounds them.
 */
export function bindGroupOf(
  device: GPUDevice,
  groups: BindGroups,
  layout: GPUBindGroupLayout,
  buffers: readonly GPUBuffer[],
  label: string,
): GPUBindGroup {
  let key = "";
  for (const buffer of buffers) key += `${numberOf(buffer)},`;
  let group = groups.get(key);
  if (group === undefined) {
    const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
    group = device.createBindGroup({ label, layout, entries });
    if (groups.size >= MOST_GROUPS) groups.clear();
    groups.set(key, group);
  }
  return group;
}
