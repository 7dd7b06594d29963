export type { NodeWorker, PageWorker } from "../worker-port.js";
export { type DefinedTask, defineTask, loadTask } from "./define-task.js";
export {
  type CreatedModel,
  type LoadableModel,
  type ModelConfig,
  type ModelEntry,
  type ModelRegistry,
  modelEntries,
  type OwnModel,
  type OwnModels,
} from "./model-registry.js";
export {
  booleanOption,
  choiceOption,
  integerOption,
  listOption,
  numberOption,
  type OptionRule,
  type OptionRules,
  objectOption,
  parseOptions,
  textOption,
} from "./option-rules.js";
export {
  findEntry,
  labelsOf,
  loadPretrained,
  type Pretrained,
  type PretrainedFiles,
  type PretrainedParts,
  type PretrainedRequest,
  pretrainedFolder,
} from "./pretrained.js";
export type { TaskProgress, TaskProgressListener } from "./progress.js";
export { serveTasks } from "./serve-tasks.js";
export {
  SimilarityIndex,
  type SimilaritySearchOptions,
  type SimilarNeighbor,
} from "./similarity-index.js";
export type {
  CallableTask,
  ExplainableTask,
  LoadContext,
  MethodsOf,
  RunnerMethods,
  StreamedOf,
  Task,
  TaskCallOptions,
  TaskDefinition,
  TaskLoader,
  TaskLoadOptions,
  TaskMethod,
  TaskRunner,
  TaskTypes,
  TaskWorkOptions,
  WorkContext,
} from "./types.js";
export type { TaskWorker, TaskWorkerSource } from "./worker-source.js";
