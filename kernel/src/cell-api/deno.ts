/**
 * `Deno.jupyter`: what Deno's kernel gives its cells to display things, so that its notebooks run here.
 *
 * Cells alone see the name `Deno` (`language/cell-transform.ts`): a global of that name would make packages take this for Deno.
 * Names, types and what each function sends are those of https://docs.deno.com/api/deno/~/Deno.jupyter.
 */
export * as jupyter from "./deno-jupyter.js";
