/** The connection file: how a Jupyter client tells a kernel where to listen. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

/** Contents of a connection file, by the Jupyter messaging specification ("Connection files"). */
export interface ConnectionInfo {
  readonly transport: "tcp" | "ipc";
  readonly ip: string;
  readonly shell_port: number;
  readonly iopub_port: number;
  readonly stdin_port: number;
  readonly control_port: number;
  readonly hb_port: number;
  /** HMAC key; empty means that messages are not signed. */
  readonly key: string;
  readonly signature_scheme: string;
  readonly kernel_name?: string;
  /** Keys of the kernel's end where the sockets are to be encrypted by CurveZMQ, both in Z85. */
  readonly curve_publickey?: string;
  readonly curve_secretkey?: string;
}

const PORTS = ["shell_port", "iopub_port", "stdin_port", "control_port", "hb_port"] as const;

const CURVE_KEYS = ["curve_publickey", "curve_secretkey"] as const;
const CURVE_KEY_LENGTH = 40;

/** Whether the ZeroMQ at hand can encrypt. */
export function canEncrypt(): boolean {
  // Only here: the other commands, and what comes before a kernel's sockets, do without ZeroMQ.
  const { capability } = createRequire(import.meta.url)("zeromq") as typeof import("zeromq");
  return capability.curve === true;
}

/** Thrown for a connection file that cannot be used; the message names the file and what is wrong with it. */
export class ConnectionFileError extends Error {
  override name = "ConnectionFileError";
}

/** Reads and checks a connection file. */
export function readConnectionFile(path: string): ConnectionInfo {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new ConnectionFileError(
      `Cannot read the connection file ${path}: Jupyter writes it before it starts a kernel`,
      {
        cause,
      },
    );
  }
  let raw: Partial<ConnectionInfo>;
  try {
    raw = JSON.parse(text) as Partial<ConnectionInfo>;
  } catch (cause) {
    throw new ConnectionFileError(`The connection file ${path} is not JSON`, { cause });
  }
  for (const port of PORTS) {
    if (!Number.isInteger(raw[port]))
      throw new ConnectionFileError(`The connection file ${path} has no integer "${port}"`);
  }
  const transport = raw.transport ?? "tcp";
  if (transport !== "tcp" && transport !== "ipc") {
    throw new ConnectionFileError(
      `The connection file ${path} asks for transport "${String(transport)}": use tcp or ipc`,
    );
  }
  const scheme = raw.signature_scheme ?? "hmac-sha256";
  if (!/^hmac-[a-z0-9]+$/.test(scheme)) {
    throw new ConnectionFileError(`The connection file ${path} asks for signature scheme "${scheme}": use hmac-sha256`);
  }
  for (const key of CURVE_KEYS) {
    const given: unknown = raw[key];
    if (given !== undefined && (typeof given !== "string" || given.length !== CURVE_KEY_LENGTH)) {
      throw new ConnectionFileError(`The connection file ${path} has a "${key}" that is no CurveZMQ key in Z85`);
    }
  }
  if (raw.curve_secretkey !== undefined && !canEncrypt()) {
    throw new ConnectionFileError(
      `The connection file ${path} asks for encryption, which this build of ZeroMQ lacks: ` +
        'start Jupyter without, c.KernelManager.transport_encryption = "disabled"',
    );
  }
  return {
    ...(raw as ConnectionInfo),
    transport,
    ip: raw.ip ?? "127.0.0.1",
    key: raw.key ?? "",
    signature_scheme: scheme,
  };
}

/** The ZeroMQ address of one of the ports. For `ipc` the ip is a path prefix and the port a suffix. */
export function address(info: ConnectionInfo, port: (typeof PORTS)[number]): string {
  return info.transport === "ipc" ? `ipc://${info.ip}-${info[port]}` : `tcp://${info.ip}:${info[port]}`;
}
