import { serveTinyTraining } from "./served-training.js";

await serveTinyTraining();
