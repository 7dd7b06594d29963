#!/usr/bin/env node
import { runVision } from "./run.js";

await runVision(process.argv.slice(2));
