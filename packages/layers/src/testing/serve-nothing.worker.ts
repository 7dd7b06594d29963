import { serveNothing } from "./served-dataset.js";

await serveNothing();
