#!/usr/bin/env node
// The parser of commands, and the others of them, are loaded only where they are asked for: a start waits for each module.
import { program } from "../dist/program.js";

const [command, ...args] = process.argv.slice(2);
const { asKernelspecCalls, run } = command === "run" ? await import(program("run").href) : {};
const call = asKernelspecCalls?.(args);
if (call === undefined) await import("../dist/cli.js");
else await run(...call);
