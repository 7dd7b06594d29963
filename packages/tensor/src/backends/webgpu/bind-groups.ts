/** Groups that are kept for a device, each with its buffers' host side, some 10 kB; a model's step needs some hundreds. */
const MOST_GROUPS = 4096;

const numbers = new WeakMap<GPUBuffer | GPUBindGroupLayout, number>();
let nextNumber = 1;

/** A number that no other buffer or layout has or will have. */
function numberOf(object: GPUBuffer | GPUBindGroupLayout): number {
  let number = numbers.get(object);
  if (number === undefined) {
    number = nextNumber++;
    numbers.set(object, number);
  }
  return number;
}

/** Groups by the numbers of their layout and buffers, the oldest first. */
const kept = new WeakMap<GPUDevice, Map<string, GPUBindGroup>>();

/**
 * A group that binds these buffers, in this order. tfjs's pool hands the same buffers to the same ops of every training
 * step, so groups are kept: to make one costs as much as the rest of a small dispatch. A buffer that was destroyed is
 * never asked for again, so its groups need no care; {@link MOST_GROUPS} bounds them, of all kernels together.
 */
export function bindGroupOf(
  device: GPUDevice,
  layout: GPUBindGroupLayout,
  buffers: readonly GPUBuffer[],
  label: string,
): GPUBindGroup {
  let groups = kept.get(device);
  if (groups === undefined) {
    groups = new Map();
    kept.set(device, groups);
  }
  let key = `${numberOf(layout)}`;
  for (const buffer of buffers) key += `,${numberOf(buffer)}`;
  let group = groups.get(key);
  if (group === undefined) {
    const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
    group = device.createBindGroup({ label, layout, entries });
    if (groups.size >= MOST_GROUPS) groups.delete(groups.keys().next().value!);
    groups.set(key, group);
  }
  return group;
}
