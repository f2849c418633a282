/**
 * The Jupyter messaging protocol, version 5.5, as JSON schemas: what a kernel may send, by the protocol's document
 * (https://jupyter-client.readthedocs.io/en/stable/messaging.html). They are strict: a field that the document does not
 * know is an error, but for the places that it leaves to the kernel (metadata, data by MIME type).
 */
import { Ajv, type ValidateFunction } from "ajv";

/** The channels on which a kernel sends. */
export type KernelChannel = "shell" | "control" | "stdin" | "iopub";

/** The parts of a message, parsed. */
export interface MessageParts {
  readonly header: unknown;
  readonly parent_header: unknown;
  readonly metadata: unknown;
  readonly content: unknown;
}

type Schema = Readonly<Record<string, unknown>>;

const string: Schema = { type: "string" };
const strings: Schema = { type: "array", items: string };
const boolean: Schema = { type: "boolean" };
const natural: Schema = { type: "integer", minimum: 0 };
const anyObject: Schema = { type: "object" };
const constant = (value: unknown): Schema => ({ const: value });

/** An object of these properties, all there, and no others; a name that ends in `?` may be left out. */
function object(properties: Readonly<Record<string, Schema>>): Schema {
  const entries = Object.entries(properties).map(([name, schema]) => [name.replace(/\?$/, ""), schema] as const);
  const required = Object.keys(properties).filter((name) => !name.endsWith("?"));
  return { type: "object", properties: Object.fromEntries(entries), required, additionalProperties: false };
}

const header = object({
  msg_id: { type: "string", minLength: 1 },
  session: { type: "string", minLength: 1 },
  username: string,
  date: { type: "string", pattern: "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?(Z|[+-]\\d\\d:\\d\\d)$" },
  msg_type: { type: "string", minLength: 1 },
  version: { type: "string", pattern: "^5\\.\\d+$" },
  "subshell_id?": { type: ["string", "null"] },
});

/** The parent is a header that the client has made, or, where nothing was asked, empty. */
const parentHeader: Schema = {
  oneOf: [
    object({}),
    { type: "object", properties: { msg_id: string, msg_type: string }, required: ["msg_id", "msg_type"] },
  ],
};

const mimeBundle: Schema = {
  type: "object",
  propertyNames: { pattern: "^[\\w.+-]+/[\\w.+-]+(;.*)?$" },
  // Text is text, never a list of lines as in a notebook file, and never anything else; JSON types are any JSON.
  patternProperties: { "^(text|image)/": string },
};

const pageBundle: Schema = { ...mimeBundle, properties: { "text/plain": string }, required: ["text/plain"] };

const failure = { ename: string, evalue: string, traceback: strings };
const error = object({ status: constant("error"), ...failure });

/** A reply: its own fields where it is `ok`, those of an error where it is not. */
function reply(fields: Readonly<Record<string, Schema>>): Schema {
  return { oneOf: [object({ status: constant("ok"), ...fields }), error] };
}

const payload: Schema = {
  oneOf: [
    object({ source: constant("page"), data: pageBundle, start: natural }),
    object({ source: constant("set_next_input"), text: string, "replace?": boolean }),
  ],
};

const executeReply: Schema = {
  oneOf: [
    object({
      ...{ status: constant("ok"), execution_count: natural, payload: { type: "array", items: payload } },
      user_expressions: {
        type: "object",
        additionalProperties: {
          oneOf: [object({ status: constant("ok"), data: mimeBundle, metadata: anyObject }), error],
        },
      },
    }),
    object({
      ...{ status: constant("error"), execution_count: natural, ...failure },
      ...{ "user_expressions?": object({}), "payload?": { type: "array", items: payload } },
    }),
    // As ipykernel does: the document says both that there is a count and that there is nothing but the status.
    object({ status: constant("aborted") }),
  ],
};

/** What JupyterLab reads of a completion beyond the protocol; it fails on an item without a text. */
const completions = {
  type: "object",
  properties: {
    _jupyter_types_experimental: {
      type: "array",
      items: {
        type: "object",
        properties: { text: string, type: string, signature: string, start: natural, end: natural },
        required: ["text", "start", "end"],
      },
    },
  },
};

const display = { data: mimeBundle, metadata: anyObject };

const kernelInfo = {
  protocol_version: { type: "string", pattern: "^5\\.\\d+(\\.\\d+)?$" },
  implementation: string,
  implementation_version: { type: "string", pattern: "^\\d+\\.\\d+\\.\\d+" },
  language_info: object({
    ...{ name: string, version: { type: "string", pattern: "^\\d+\\.\\d+\\.\\d+" }, mimetype: string },
    file_extension: { type: "string", pattern: "^\\.\\w+$" },
    ...{ "pygments_lexer?": string, "nbconvert_exporter?": string },
    "codemirror_mode?": { type: ["string", "object"] },
  }),
  banner: string,
  "debugger?": boolean,
  "help_links?": { type: "array", items: object({ text: string, url: string }) },
  "supported_features?": strings,
};

/** A line of history: session, line, and the input, or input and output. */
const historyItem: Schema = {
  type: "array",
  minItems: 3,
  maxItems: 3,
  items: [
    { type: "integer" },
    natural,
    { oneOf: [string, { type: "array", minItems: 2, maxItems: 2, items: [string, { type: ["string", "null"] }] }] },
  ],
};

const comm = { comm_id: string, data: anyObject };
const shutdownReply = reply({ restart: boolean });

/** What the debugger says is in the words of the Debug Adapter Protocol: a response, or an event. */
const debugReply: Schema = {
  oneOf: [
    object({
      ...{ type: constant("response"), seq: natural, request_seq: natural, command: string },
      ...{ success: constant(true), body: anyObject },
    }),
    object({
      ...{ type: constant("response"), seq: natural, request_seq: natural, command: string },
      ...{ success: constant(false), message: string },
    }),
  ],
};

const debugEvent: Schema = {
  oneOf: [
    object({ type: constant("event"), seq: natural, event: { enum: ["initialized"] }, body: object({}) }),
    object({
      ...{ type: constant("event"), seq: natural, event: constant("stopped") },
      body: object({
        reason: { enum: ["breakpoint", "step", "exception", "pause"] },
        ...{ threadId: natural, allThreadsStopped: boolean },
      }),
    }),
    object({
      ...{ type: constant("event"), seq: natural, event: constant("continued") },
      body: object({ threadId: natural, allThreadsContinued: boolean }),
    }),
  ],
};

/** A request is answered where it was made: not only what belongs on control may be asked there, with ipykernel too. */
const replies: readonly KernelChannel[] = ["shell", "control"];

/** The content of each message, and the channels on which it may come. */
const messages: Readonly<Record<string, readonly [channels: readonly KernelChannel[], content: Schema]>> = {
  execute_reply: [replies, executeReply],
  inspect_reply: [replies, reply({ found: boolean, ...display })],
  complete_reply: [
    replies,
    reply({ matches: strings, cursor_start: natural, cursor_end: natural, metadata: completions }),
  ],
  history_reply: [replies, reply({ history: { type: "array", items: historyItem } })],
  is_complete_reply: [
    replies,
    {
      oneOf: [
        object({ status: { enum: ["complete", "invalid", "unknown"] } }),
        object({ status: constant("incomplete"), indent: string }),
        error,
      ],
    },
  ],
  comm_info_reply: [
    replies,
    reply({ comms: { type: "object", additionalProperties: object({ target_name: string }) } }),
  ],
  kernel_info_reply: [replies, reply(kernelInfo)],
  // ipykernel also publishes it, for the other clients.
  shutdown_reply: [["shell", "control", "iopub"], shutdownReply],
  interrupt_reply: [replies, reply({})],
  create_subshell_reply: [["control"], reply({ subshell_id: string })],
  delete_subshell_reply: [["control"], reply({})],
  list_subshell_reply: [["control"], reply({ subshell_id: strings })],
  debug_reply: [["control"], debugReply],
  input_request: [["stdin"], object({ prompt: string, password: boolean })],
  iopub_welcome: [["iopub"], object({ subscription: string })],
  stream: [["iopub"], object({ name: { enum: ["stdout", "stderr"] }, text: { type: "string", minLength: 1 } })],
  display_data: [["iopub"], object({ ...display, "transient?": object({ "display_id?": string }) })],
  update_display_data: [["iopub"], object({ ...display, transient: object({ display_id: string }) })],
  execute_input: [["iopub"], object({ code: string, execution_count: natural })],
  execute_result: [
    ["iopub"],
    object({ ...display, "transient?": object({ "display_id?": string }), execution_count: natural }),
  ],
  error: [["iopub"], object(failure)],
  status: [["iopub"], object({ execution_state: { enum: ["busy", "idle", "starting"] } })],
  clear_output: [["iopub"], object({ wait: boolean })],
  debug_event: [["iopub"], debugEvent],
  comm_open: [["iopub"], object({ ...comm, target_name: string })],
  comm_msg: [["iopub"], object(comm)],
  comm_close: [["iopub"], object(comm)],
};

const ajv = new Ajv({ allErrors: true, strict: true, strictTypes: false, allowMatchingProperties: true });
const validateHeader = ajv.compile(header);
const validateParent = ajv.compile(parentHeader);
const validateMetadata = ajv.compile(anyObject);
const validators = new Map<string, ValidateFunction>();

/** What is wrong with a message, by the protocol; nothing where it is right. */
export function problemsIn(channel: KernelChannel, parts: MessageParts): string[] {
  const type = (parts.header as { msg_type?: unknown }).msg_type;
  const known = Object.hasOwn(messages, String(type)) ? messages[String(type)] : undefined;
  if (known === undefined) return [`there is no message of type ${String(type)}`];
  const [channels, schema] = known;
  let content = validators.get(String(type));
  if (content === undefined) validators.set(String(type), (content = ajv.compile(schema)));
  return [
    ...(channels.includes(channel) ? [] : [`${String(type)} does not belong on ${channel}`]),
    ...errorsOf("header", validateHeader, parts.header),
    ...errorsOf("parent_header", validateParent, parts.parent_header),
    ...errorsOf("metadata", validateMetadata, parts.metadata),
    ...errorsOf("content", content, parts.content),
    ...parentProblems(String(type), parts.parent_header as Readonly<Record<string, unknown>>),
  ];
}

/** All belongs to a request, but what the kernel says of its own accord. A reply belongs to the request of its name. */
function parentProblems(type: string, parent: Readonly<Record<string, unknown>>): string[] {
  const request = parent["msg_type"] as string | undefined;
  if (request === undefined) {
    return ["status", "iopub_welcome"].includes(type) ? [] : [`${type} has no parent`];
  }
  const wanted = type.endsWith("_reply") ? type.replace(/_reply$/, "_request") : request;
  return request === wanted ? [] : [`the parent of ${type} is of type ${request}`];
}

function errorsOf(part: string, validate: ValidateFunction, value: unknown): string[] {
  if (validate(value)) return [];
  return (validate.errors ?? []).map(({ instancePath, message }) => `${part}${instancePath} ${message ?? ""}`);
}
