// @ts-check
// What tools print when they fail, read into a cause and a remedy. The patterns come from real output, which
// scripts/fixtures keeps; a failure met in the wild that is explained badly gets its output added there, and a row here.

import { Failure } from "./failure.mjs";

/**
 * @typedef {object} KnownFailure
 * @property {string} name names the row in tests
 * @property {RegExp} pattern
 * @property {(match: RegExpExecArray) => string} reason
 * @property {string} remedy
 */

/**
 * In order: the first row that matches wins, so what causes other symptoms (a full disk) comes before them.
 *
 * @type {readonly KnownFailure[]}
 */
const KNOWN_FAILURES = [
  {
    name: "disk full",
    pattern: /ENOSPC|No space left on device|Errno 28\b|EDQUOT|Disk quota exceeded/i,
    reason: () => "the disk is full",
    remedy: "free about 2 GB where this checkout lies and in the temporary folder, then run the command again",
  },
  {
    name: "read-only",
    pattern: /EROFS|Read-only file system/i,
    reason: () => "the checkout lies on a read-only file system",
    remedy: "clone it to a folder that you can write to",
  },
  {
    name: "venv missing",
    pattern: /ensurepip is not\s+available[\s\S]*?apt install (python[\d.]+-venv)/,
    reason: () => "this Python has no venv module",
    remedy: "install it (on Debian and Ubuntu: sudo apt install python3-venv), then run the command again",
  },
  {
    name: "venv missing, other systems",
    pattern: /No module named '?(venv|ensurepip)'?/,
    reason: (match) => `this Python has no ${match[1]} module`,
    remedy: "install it (on Debian and Ubuntu: sudo apt install python3-venv), then run the command again",
  },
  {
    name: "port taken",
    pattern: /port (\d+) is not available/,
    reason: (match) => `port ${match[1]} is taken by another program`,
    remedy: "choose another (npm start -- --port 8899), or leave --port out and a free one is found",
  },
  {
    name: "certificate",
    pattern: /CERTIFICATE_VERIFY_FAILED|SELF_SIGNED_CERT|UNABLE_TO_GET_ISSUER_CERT|UNABLE_TO_VERIFY_LEAF_SIGNATURE/,
    reason: () => "the package registry's certificate is not trusted on this machine",
    remedy: "behind a proxy that inspects traffic, point NODE_EXTRA_CA_CERTS and PIP_CERT at its certificate",
  },
  {
    name: "proxy",
    pattern: /Cannot connect to proxy|ProxyError|tunneling socket could not be established/,
    reason: () => "the proxy cannot be reached",
    remedy: "check HTTPS_PROXY and HTTP_PROXY, then run the command again",
  },
  {
    name: "registry refused",
    pattern: /npm error code (E401|E403)|\b(401 Unauthorized|403 Forbidden|403 Client Error|407 Proxy Auth)/,
    reason: (match) => `the package registry refused (${match[1] ?? match[2]})`,
    remedy: "check the registry and the login in .npmrc or pip.conf; without them the public registries are used",
  },
  {
    name: "name not found",
    pattern: /ENOTFOUND|EAI_AGAIN|Name or service not known|Temporary failure in name resolution|nodename nor servname/,
    reason: () => "there is no network: the package registry's name was not found",
    remedy: "connect to the network (behind a proxy set HTTPS_PROXY), then run the command again",
  },
  {
    name: "no connection",
    pattern:
      /npm error (?:code|errno) (?:ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|FETCH_ERROR)|ERR_SOCKET_TIMEOUT|Failed to establish a new connection|ConnectTimeoutError|ReadTimeoutError|Read timed out|Network is unreachable/,
    reason: () => "there is no network: the package registry cannot be reached",
    remedy: "connect to the network (behind a proxy set HTTPS_PROXY), then run the command again",
  },
  {
    name: "lock file out of step",
    pattern: /npm error code EUSAGE[\s\S]*package-lock\.json/,
    reason: () => "package-lock.json does not fit the package.json files",
    remedy: "run npm install and commit package-lock.json with the package.json that changed",
  },
  {
    name: "package does not exist",
    pattern: /npm error code (?:E404|ETARGET)/,
    reason: () => "the npm registry has no such package or version",
    remedy: "see the log for which one, and correct package.json",
  },
  {
    name: "no answer from the index",
    pattern: /\(from versions: none\)[\s\S]*No matching distribution found for (\S+)/,
    reason: (match) => `the Python package index gave no version of ${match[1]}: it cannot be reached, or it refused`,
    remedy: "check the network, HTTPS_PROXY, and the index in pip.conf, then run the command again",
  },
  {
    name: "no such version",
    pattern: /No matching distribution found for (\S+)/,
    reason: (match) => `the Python package index has no ${match[1]} for this Python`,
    remedy: "use Python 3.10 to 3.13, or correct scripts/requirements.txt",
  },
  {
    name: "permission",
    pattern: /EACCES|Permission denied|Errno 13\b/i,
    reason: ({ input }) =>
      `${/permission denied[^\n']*'([^'\n]+)'/i.exec(input)?.[1] ?? "a file or folder"} may not be written by this user`,
    remedy: "work in a clone of your own; a checkout made with sudo is given back by: sudo chown -R $USER .",
  },
  {
    name: "module missing",
    pattern: /ModuleNotFoundError: No module named '([\w.]+)'/,
    reason: (match) => `the Python environment is broken: it lacks ${match[1]}`,
    remedy: "remove the folder .venv and run the command again",
  },
  {
    name: "no such kernel",
    pattern: /NoSuchKernel|No such kernel named (\S+)/,
    reason: () => "the kernel is not registered in this Python environment",
    remedy: "run npm start once without --run, and see its line about the kernel",
  },
];

/**
 * The row of the table that explains a tool's output, by name; undefined when none does.
 *
 * @param {string} output
 * @returns {{name: string, reason: string, remedy: string} | undefined}
 */
export function recognise(output) {
  for (const { name, pattern, reason, remedy } of KNOWN_FAILURES) {
    const match = pattern.exec(output);
    if (match) return { name, reason: reason(match), remedy };
  }
  return undefined;
}

/**
 * A tool's failure, explained as well as its output allows.
 *
 * @param {object} facts
 * @param {string} facts.tool the tool as a person knows it: "npm", "pip"
 * @param {string} facts.output all it printed
 * @param {number | null} [facts.code] its exit status
 * @param {string | null} [facts.signal] the signal that ended it
 * @param {string} [facts.log] the file that holds its output
 * @returns {Failure}
 */
export function explain({ tool, output, code, signal, log }) {
  const known = recognise(output);
  if (known) return new Failure(known.reason, known.remedy, { log });
  if (signal === "SIGKILL") {
    return new Failure(`${tool} was killed, most likely because memory ran out`, "free memory, then run it again", {
      log,
    });
  }
  const ending = signal ? `was ended by ${signal}` : `ended with status ${code}`;
  return new Failure(`${tool} ${ending}`, "its last lines are below; the log has all of them", { log, output });
}
