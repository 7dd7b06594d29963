export {
  makePruningPermanent,
  type PruneChannelsOptions,
  type PruneWeightsOptions,
  pruneChannels,
  pruneWeights,
  type SparsityReport,
  type SparsityRow,
  sparsityReport,
} from "./prune.js";
export { removePrunedChannels } from "./remove-channels.js";
