/**
 * A reader of Python pickles that executes nothing. A pickle is a program for a small stack machine; this machine knows
 * the instructions that build plain data (protocol 2, which torch writes, and what neighbours 3 to 5 add), and asks a
 * closed table (globals.ts) for every class or function that a pickle names. Anything else ends the reading.
 */
import { quoted } from "../../errors.js";
import { Dictionary, GlobalName, StorageReference, Tuple, type PickleValue } from "./pickle-values.js";

/** Why a pickle was not read, and what to do. The file's name is added by whoever opened it. */
export class PickleError extends Error {
  override readonly name = "PickleError";

  constructor(
    problem: string,
    readonly remedy = "The file is damaged or was not written by PyTorch: copy it again, or save it again.",
  ) {
    super(problem);
  }
}

/** What a pickle may ask for from outside. */
export interface PickleWorld {
  /** The class or function of this name, if a pickle may name it. */
  global(name: string): GlobalName;
  /** The result of a call of it. */
  call(callee: GlobalName, args: readonly PickleValue[]): PickleValue;
  /** What a persistent id stands for: in torch's files a storage. */
  persistent(id: PickleValue): StorageReference;
}

/**
 * The value that a pickle describes.
 *
 * @param bytes the whole pickle
 * @throws PickleError when it is no pickle, or asks for what it may not have
 */
export function readPickle(bytes: Uint8Array, world: PickleWorld): PickleValue {
  return new Machine(bytes, world).run();
}

type Instruction = (machine: Machine) => void;

/** A tensor takes about 30. Each may make an object of some hundred bytes, and a process must be able to hold them. */
const mostInstructions = 4_000_000;

/** Longer than any number a model's file holds; arithmetic on longer ones takes its time. */
const longestInteger = 16;

class Machine {
  private readonly view: DataView;
  private position = 0;
  private stack: PickleValue[] = [];
  /** the stacks below each open mark */
  private readonly marks: PickleValue[][] = [];
  private readonly memo = new Map<number, PickleValue>();
  private readonly text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  constructor(
    private readonly bytes: Uint8Array,
    readonly world: PickleWorld,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  run(): PickleValue {
    for (let count = 0; count < mostInstructions; count++) {
      const at = this.position;
      const code = this.take(1)[0]!;
      if (code === stop) return this.pop();
      const instruction = instructions.get(code);
      if (!instruction) {
        throw new PickleError(
          `has a pickle with instruction 0x${code.toString(16).padStart(2, "0")} at byte ${at}, which is not among those of a model's file`,
        );
      }
      instruction(this);
    }
    throw new PickleError(`has a pickle of more than ${mostInstructions} instructions, which no model needs`);
  }

  push(value: PickleValue): void {
    this.stack.push(value);
  }

  pop(): PickleValue {
    const value = this.stack.pop();
    if (value === undefined) throw new PickleError("has a pickle that takes a value where there is none");
    return value;
  }

  top(): PickleValue {
    const value = this.pop();
    this.push(value);
    return value;
  }

  mark(): void {
    this.marks.push(this.stack);
    this.stack = [];
  }

  /** The values since the last mark. */
  popMark(): PickleValue[] {
    const values = this.stack;
    const below = this.marks.pop();
    if (!below) throw new PickleError("has a pickle that ends a list which was not begun");
    this.stack = below;
    return values;
  }

  remember(index = this.memo.size): void {
    this.memo.set(index, this.top());
  }

  recall(index: number): void {
    const value = this.memo.get(index);
    if (value === undefined) throw new PickleError(`has a pickle that recalls value ${index}, which it never stored`);
    this.push(value);
  }

  /** The next bytes; the length is checked before it is believed. */
  take(length: number): Uint8Array {
    const end = this.position + length;
    if (!(length >= 0 && end <= this.bytes.length)) throw new PickleError("has a pickle that ends too early");
    const bytes = this.bytes.subarray(this.position, end);
    this.position = end;
    return bytes;
  }

  uint8(): number {
    return this.take(1)[0]!;
  }

  uint16(): number {
    const at = this.position;
    this.take(2);
    return this.view.getUint16(at, true);
  }

  uint32(): number {
    const at = this.position;
    this.take(4);
    return this.view.getUint32(at, true);
  }

  int32(): number {
    return this.uint32() | 0;
  }

  uint64(): number {
    const at = this.position;
    this.take(8);
    return Number(this.view.getBigUint64(at, true));
  }

  float64(): number {
    const at = this.position;
    this.take(8);
    return this.view.getFloat64(at, false);
  }

  /** A signed little-endian integer of any length; a number where it is exact. */
  long(length: number): number | bigint {
    if (length > longestInteger) throw new PickleError(`has a pickle with an integer of ${length} bytes`);
    const bytes = this.take(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
    value = BigInt.asIntN(8 * length, value);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  string(length: number): string {
    const bytes = this.take(length);
    try {
      return this.text.decode(bytes);
    } catch {
      throw new PickleError("has a pickle with text that is not UTF-8");
    }
  }

  line(): string {
    const end = this.bytes.indexOf(0x0a, this.position);
    if (end < 0) throw new PickleError("has a pickle that ends too early");
    const text = this.string(end - this.position);
    this.position = end + 1;
    return text;
  }
}

const stop = 0x2e;

/** Objects that instructions add to, where they must be of that kind. */
function expectList(value: PickleValue): PickleValue[] {
  if (Array.isArray(value)) return value;
  throw new PickleError("has a pickle that appends to something that is no list");
}

function expectDictionary(value: PickleValue): Dictionary {
  if (value instanceof Dictionary) return value;
  throw new PickleError("has a pickle that sets an item of something that is no dictionary");
}

function addItem(dictionary: Dictionary, key: PickleValue, value: PickleValue): void {
  const plain = typeof key === "string" || typeof key === "number" || typeof key === "boolean" || key === null;
  if (!plain) throw new PickleError("has a pickle with a dictionary whose keys are neither text nor numbers");
  // Python would keep the later one; which of the two a writer meant cannot be told.
  if (dictionary.items.has(key)) throw new PickleError(`has ${quoted(String(key))} twice in a dictionary`);
  dictionary.items.set(key, value);
}

function addItems(dictionary: Dictionary, pairs: readonly PickleValue[]): void {
  if (pairs.length % 2) throw new PickleError("has a pickle with a key that has no value");
  for (let i = 0; i < pairs.length; i += 2) addItem(dictionary, pairs[i]!, pairs[i + 1]!);
}

/** A call, as the instructions REDUCE and NEWOBJ make one. */
function call(machine: Machine): void {
  const args = machine.pop();
  const callee = machine.pop();
  if (!(args instanceof Tuple)) throw new PickleError("has a pickle with a call whose arguments are no tuple");
  if (!(callee instanceof GlobalName)) throw new PickleError("has a pickle that calls something that is no function");
  machine.push(machine.world.call(callee, args.items));
}

/** BUILD sets attributes of the object below; a state_dict's `_metadata` comes so, and nothing of it is needed. */
function build(machine: Machine): void {
  machine.pop();
  expectDictionary(machine.top());
}

function tuple(count: number): Instruction {
  return (machine) => {
    const items: PickleValue[] = [];
    for (let i = 0; i < count; i++) items.unshift(machine.pop());
    machine.push(new Tuple(items));
  };
}

/** The instructions by their code, named as Python's pickletools names them. */
const instructions = new Map<number, Instruction>([
  [0x80, (m) => checkProtocol(m.uint8())], // PROTO
  [0x95, (m) => void m.uint64()], // FRAME
  [0x28, (m) => m.mark()], // MARK
  [0x30, (m) => void m.pop()], // POP
  [0x31, (m) => void m.popMark()], // POP_MARK
  [0x32, (m) => m.push(m.top())], // DUP
  [0x4e, (m) => m.push(null)], // NONE
  [0x88, (m) => m.push(true)], // NEWTRUE
  [0x89, (m) => m.push(false)], // NEWFALSE
  [0x4a, (m) => m.push(m.int32())], // BININT
  [0x4b, (m) => m.push(m.uint8())], // BININT1
  [0x4d, (m) => m.push(m.uint16())], // BININT2
  [0x8a, (m) => m.push(m.long(m.uint8()))], // LONG1
  [0x8b, (m) => m.push(m.long(m.int32()))], // LONG4
  [0x47, (m) => m.push(m.float64())], // BINFLOAT
  [0x58, (m) => m.push(m.string(m.uint32()))], // BINUNICODE
  [0x8c, (m) => m.push(m.string(m.uint8()))], // SHORT_BINUNICODE
  [0x8d, (m) => m.push(m.string(m.uint64()))], // BINUNICODE8
  [0x55, (m) => m.push(m.string(m.uint8()))], // SHORT_BINSTRING
  [0x54, (m) => m.push(m.string(m.uint32()))], // BINSTRING
  [0x43, (m) => m.push(m.take(m.uint8()).slice())], // SHORT_BINBYTES
  [0x42, (m) => m.push(m.take(m.uint32()).slice())], // BINBYTES
  [0x8e, (m) => m.push(m.take(m.uint64()).slice())], // BINBYTES8
  [0x29, tuple(0)], // EMPTY_TUPLE
  [0x85, tuple(1)], // TUPLE1
  [0x86, tuple(2)], // TUPLE2
  [0x87, tuple(3)], // TUPLE3
  [0x74, (m) => m.push(new Tuple(m.popMark()))], // TUPLE
  [0x5d, (m) => m.push([])], // EMPTY_LIST
  [0x6c, (m) => m.push(m.popMark())], // LIST
  [
    0x61, // APPEND
    (m) => {
      const value = m.pop();
      expectList(m.top()).push(value);
    },
  ],
  [
    0x65, // APPENDS
    (m) => {
      const values = m.popMark();
      const list = expectList(m.top());
      for (const value of values) list.push(value);
    },
  ],
  [0x7d, (m) => m.push(new Dictionary())], // EMPTY_DICT
  [
    0x64, // DICT
    (m) => {
      const dictionary = new Dictionary();
      addItems(dictionary, m.popMark());
      m.push(dictionary);
    },
  ],
  [
    0x73, // SETITEM
    (m) => {
      const value = m.pop();
      const key = m.pop();
      addItem(expectDictionary(m.top()), key, value);
    },
  ],
  [
    0x75, // SETITEMS
    (m) => {
      const pairs = m.popMark();
      addItems(expectDictionary(m.top()), pairs);
    },
  ],
  [0x71, (m) => m.remember(m.uint8())], // BINPUT
  [0x72, (m) => m.remember(m.uint32())], // LONG_BINPUT
  [0x94, (m) => m.remember()], // MEMOIZE
  [0x68, (m) => m.recall(m.uint8())], // BINGET
  [0x6a, (m) => m.recall(m.uint32())], // LONG_BINGET
  [
    0x63, // GLOBAL
    (m) => {
      const module = m.line();
      m.push(m.world.global(`${module}.${m.line()}`));
    },
  ],
  [
    0x93, // STACK_GLOBAL
    (m) => {
      const name = m.pop();
      const module = m.pop();
      if (typeof name !== "string" || typeof module !== "string") {
        throw new PickleError("has a pickle with a class whose name is no text");
      }
      m.push(m.world.global(`${module}.${name}`));
    },
  ],
  [0x52, call], // REDUCE
  [0x81, call], // NEWOBJ
  [0x62, build], // BUILD
  [0x51, (m) => m.push(m.world.persistent(m.pop()))], // BINPERSID
]);

function checkProtocol(protocol: number): void {
  if (protocol < 2 || protocol > 5) {
    throw new PickleError(
      `has a pickle of protocol ${protocol}, wanted 2 to 5`,
      "Save it again in PyTorch with torch.save(model.state_dict(), path).",
    );
  }
}
