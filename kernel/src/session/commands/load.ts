/** `%load`: a file's text becomes the next input. */
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";
import { addPayload } from "../payload.js";
import { CommandError } from "./error.js";

/** Puts the text of a file, or of what a URL names, into the cell. */
export async function load(from: string): Promise<void> {
  const text = /^https?:\/\//.test(from) ? await download(from) : await read(from);
  addPayload({ source: "set_next_input", text: `// %load ${from}\n${text}`, replace: true });
}

async function read(from: string): Promise<string> {
  const path = from.startsWith("file:") ? fileURLToPath(from) : from.replace(/^~(?=\/)/, homedir());
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const where = isAbsolute(path) ? path : join(process.cwd(), path);
    if (code === "ENOENT") throw new CommandError(`%load: there is no file ${where}`);
    if (code === "EISDIR") throw new CommandError(`%load: ${where} is a folder`);
    throw new CommandError(`%load: ${(error as Error).message}`);
  }
}

async function download(url: string): Promise<string> {
  const reply = await fetch(url);
  if (!reply.ok) throw new CommandError(`%load: ${url} answers ${reply.status} ${reply.statusText}`);
  return reply.text();
}
