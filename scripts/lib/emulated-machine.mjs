// @ts-check
// A whole machine under Bochs, which has CPUs with AVX-512 where QEMU has none: a Linux kernel from Debian, a RAM disk with
// Node.js and files of this checkout, and a serial line to read from.

import { spawn, spawnSync } from "node:child_process";
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { root } from "./checkout.mjs";
import { ask, Log, run } from "./command.mjs";
import { Failure } from "./failure.mjs";
import { findProgram } from "./find-program.mjs";

/** Where the checkout lies in the machine. */
export const checkout = "/metastate";

/** Programs and files of Debian's that a machine is made with, and the packages that have them. */
const needs = [
  { path: "isolinux.bin", places: ["/usr/lib/ISOLINUX"], debian: "isolinux" },
  { path: "ldlinux.c32", places: ["/usr/lib/syslinux/modules/bios"], debian: "syslinux-common" },
  { path: "genisoimage", places: undefined, debian: "genisoimage" },
  { path: "busybox", places: ["/bin", "/usr/bin"], debian: "busybox-static" },
  { path: "bochs", places: undefined, debian: "bochs" },
];

/** @typedef {{iso: string, bochs: string, cpus: readonly string[]}} Machine */

/**
 * The paths of what is needed, by name.
 *
 * @returns {Record<string, string>}
 * @throws {Failure} which names the packages that are missing
 */
export function findTools() {
  /** @type {Record<string, string>} */
  const found = {};
  for (const { path, places } of needs) {
    const place = places
      ? places.map((folder) => join(folder, path)).find((file) => existsSync(file))
      : findProgram(path);
    if (place) found[path] = place;
  }
  const missing = needs.filter(({ path }) => !(path in found));
  if (missing.length === 0) return found;
  throw new Failure(
    `${missing.map(({ path }) => path).join(", ")} not found`,
    `on Debian or Ubuntu: sudo apt install --no-install-recommends ${missing.map(({ debian }) => debian).join(" ")}`,
  );
}

/**
 * The CPU models that this Bochs knows.
 *
 * @param {string} bochs
 */
export function cpuModels(bochs) {
  const { stdout, stderr } = spawnSync(bochs, ["--help", "cpu"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  return `${stdout}\n${stderr}`.split("\n").filter((line) => /^\w+$/.test(line));
}

/**
 * A kernel: METASTATE_KERNEL, or that of Debian's package for virtual machines, fetched and unpacked but not installed.
 *
 * @param {string} folder where to
 * @param {import("./progress.mjs").Step} step
 */
export async function fetchKernel(folder, step) {
  const asked = process.env["METASTATE_KERNEL"];
  if (asked) return asked;
  const boot = join(folder, "boot");
  const find = () => (existsSync(boot) ? readdirSync(boot).find((name) => name.startsWith("vmlinuz")) : undefined);
  const there = find();
  if (there) {
    step.upToDate(there);
    return join(boot, there);
  }
  const remedy = "set METASTATE_KERNEL to a Linux kernel for x86-64 with a serial console built in";
  const depends = (await ask("apt-cache", ["depends", "linux-image-cloud-amd64"])) ?? "";
  const name = /linux-image-[\w.+-]+/.exec(depends.replace("linux-image-cloud-amd64", ""))?.[0];
  if (!name) throw new Failure("there is no Debian package linux-image-cloud-amd64 here", remedy);
  mkdirSync(folder, { recursive: true });
  const log = new Log("avx512-kernel");
  await run("apt-get", ["download", name], { tool: "apt-get", step, log, cwd: folder });
  const file = readdirSync(folder).find((entry) => entry.endsWith(".deb")) ?? "";
  await run("dpkg-deb", ["--extract", join(folder, file), folder], { tool: "dpkg-deb", step, log });
  rmSync(join(folder, file));
  const kernel = find();
  if (!kernel) throw new Failure(`${name} has no kernel`, remedy);
  return join(boot, kernel);
}

/**
 * Copies a program or library into a machine, with the libraries that it needs.
 *
 * @param {string} stage the root of the machine
 * @param {string} file
 * @param {string} [to] its path there; the same, unless told
 */
export function takeProgram(stage, file, to = file) {
  const copy = (/** @type {string} */ from, /** @type {string} */ path) => {
    mkdirSync(dirname(join(stage, path)), { recursive: true });
    cpSync(realpathSync(from), join(stage, path));
  };
  copy(file, to);
  const { stdout } = spawnSync("ldd", [file], { encoding: "utf8" });
  for (const [, library] of (stdout ?? "").matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)) {
    if (library && !existsSync(join(stage, library))) copy(library, library);
  }
}

/**
 * Makes the disk that it starts from.
 *
 * @param {{stage: string, kernel: string, script: string, parameters: string, tools: Record<string, string>, folder: string,
 *   step: import("./progress.mjs").Step}} options stage: the root of the machine; script: what it runs, for a shell; parameters:
 *   of the kernel
 * @returns {Promise<string>} where it is
 */
export async function makeDisk({ stage, kernel, script, parameters, tools, folder, step }) {
  const log = new Log("avx512-machine");
  mkdirSync(join(stage, "bin"), { recursive: true });
  cpSync(tools["busybox"] ?? "", join(stage, "bin", "busybox"));
  const init = `#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/shm; mount -t tmpfs tmpfs /dev/shm
ip link set lo up 2>/dev/null
export PATH=/bin HOME=/tmp
exec </dev/null >/dev/ttyS0 2>&1
stty raw -F /dev/ttyS0 2>/dev/null
echo "${marks.begin}"
${script}
echo "${marks.end} $?"
sleep 1000000
`;
  writeFileSync(join(stage, "init"), init, { mode: 0o755 });
  const iso = join(folder, "iso");
  rmSync(iso, { recursive: true, force: true });
  mkdirSync(iso, { recursive: true });
  step.report("packing the RAM disk");
  const pack = `find . | ${tools["busybox"]} cpio -o -H newc 2>/dev/null | gzip -1 > "$1"`;
  await run("sh", ["-c", pack, "sh", join(iso, "initrd.gz")], { tool: "cpio", step, log, cwd: stage });
  cpSync(kernel, join(iso, "vmlinuz"));
  for (const name of ["isolinux.bin", "ldlinux.c32"]) cpSync(tools[name] ?? "", join(iso, name));
  const always = "console=ttyS0,115200 panic=-1 quiet mitigations=off nokaslr tsc=reliable random.trust_cpu=on";
  const configuration = `default linux\nprompt 0\nlabel linux\n kernel vmlinuz\n append initrd=initrd.gz ${always} ${parameters}\n`;
  writeFileSync(join(iso, "isolinux.cfg"), configuration);
  const image = join(folder, "disk.iso");
  const boot = ["-b", "isolinux.bin", "-c", "boot.cat", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table"];
  const args = ["-quiet", "-R", "-o", image, ...boot, iso];
  await run(tools["genisoimage"] ?? "", args, { tool: "genisoimage", step, log });
  return image;
}

/** What the machine says before and after its script. */
const marks = { begin: "metastate: begin", end: "metastate: end" };

/** The first of these files that there is; the last one otherwise. @param {readonly string[]} files */
const firstOf = (files) => files.find((file) => existsSync(file)) ?? files.at(-1) ?? "";

/**
 * Starts a machine and reads what its script prints.
 *
 * @param {{bochs: string, cpu: string, image: string, folder: string, onLine: (line: string) => void,
 *   onBoot: (line: string) => void}} options onBoot takes what is said before the script begins
 * @returns {Promise<number>} the script's status
 */
export async function runMachine({ bochs, cpu, image, folder, onLine, onBoot }) {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const share = process.env["BXSHARE"] ?? "/usr/share/bochs";
  const log = join(folder, `bochs-${cpu}.log`);
  // Its clock counts instructions and waits for nothing. A byte on the serial line takes 87 microseconds of it.
  const configuration = `config_interface: textconfig
display_library: rfb, options="timeout=0"
cpu: model=${cpu}, count=1, ips=200000000, reset_on_triple_fault=0, ignore_bad_msrs=1
clock: sync=none
memory: guest=1536, host=1536
romimage: file=${firstOf([join(share, "BIOS-bochs-latest"), "/usr/share/bochs/BIOS-bochs-latest"])}, options=fastboot
vgaromimage: file=${firstOf([join(share, "VGABIOS-lgpl-latest"), join(share, "VGABIOS-lgpl-latest.bin"), "/usr/share/vgabios/vgabios.bin"])}
ata0-master: type=cdrom, path=${image}, status=inserted
boot: cdrom
com1: enabled=1, mode=socket-client, dev=localhost:${port}
log: ${log}
error: action=ignore
panic: action=fatal
`;
  const file = join(folder, `bochsrc-${cpu}`);
  writeFileSync(file, configuration);
  const output = openSync(join(folder, `bochs-${cpu}.out`), "w");
  const child = spawn(bochs, ["-q", "-f", file], { cwd: root, stdio: ["ignore", output, output] });
  closeSync(output);
  const stop = () => child.kill("SIGKILL");
  process.on("exit", stop);
  /** @type {string[]} */
  const said = [];
  try {
    return await new Promise((resolve, reject) => {
      let running = false;
      child.on("error", reject);
      child.on("close", () => {
        const lines = said.slice(-30).join("\n");
        reject(new Failure("the machine ended before its script did", `see ${log}`, { log, output: lines }));
      });
      server.on("connection", (socket) => {
        createInterface({ input: socket, crlfDelay: Infinity }).on("line", (line) => {
          said.push(line);
          if (line.includes(marks.begin)) running = true;
          else if (running && line.startsWith(marks.end)) resolve(Number(line.slice(marks.end.length)));
          else if (running) onLine(line);
          else onBoot(line);
        });
      });
    });
  } finally {
    child.removeAllListeners("close");
    process.off("exit", stop);
    stop();
    server.close();
  }
}
