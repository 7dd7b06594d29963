import { serveNumbers } from "./served-dataset.js";

await serveNumbers();
