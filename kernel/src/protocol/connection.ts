/** The connection file: how a Jupyter client tells a kernel where to listen. */
import { readFileSync } from "node:fs";

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
}

const PORTS = ["shell_port", "iopub_port", "stdin_port", "control_port", "hb_port"] as const;

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
