#!/usr/bin/env node
// The parser of commands, and the others of them, are loaded only where they are asked for: a start waits for each module.
const [command, ...args] = process.argv.slice(2);
// A checkout that was brought up to date and not compiled since may lack it: what is there then starts as ever.
const { program } = await import("../dist/program.js").catch(() => ({}));
const { asKernelspecCalls, run } = command === "run" && program ? await import(program("run").href) : {};
const call = asKernelspecCalls?.(args);
if (call === undefined) await import("../dist/cli.js");
else await run(...call);
