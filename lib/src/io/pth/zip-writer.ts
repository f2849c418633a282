/**
 * Writing a zip as torch writes it: entries stored as they are, the bytes of each from a multiple of 64 on (so that a
 * file can be mapped into memory), zip64 fields where a size or a place needs them (APPNOTE.TXT 4.3, 4.5.3).
 */
import { crc32 } from "node:zlib";

import type { FileSink } from "../atomic-write.js";

const alignment = 64;

/** What zip's older fields hold when the truth is in a zip64 field. */
const elsewhere = 0xffffffff;

/** torch's own extra field for padding, "FB". */
const paddingId = 0x4246;

interface Written {
  readonly name: Uint8Array;
  readonly size: number;
  readonly crc32: number;
  readonly position: number;
}

/** Writes entries one after the other, then the directory. */
export class ZipWriter {
  private readonly entries: Written[] = [];

  /** @param zip64From sizes and places from here on take zip64 fields; smaller in tests */
  constructor(
    private readonly sink: FileSink,
    private readonly zip64From = elsewhere,
  ) {}

  /** Adds an entry whose bytes are at hand. */
  async add(name: string, bytes: Uint8Array): Promise<void> {
    await this.stream(name, bytes.length, (put) => put(bytes));
  }

  /**
   * Adds an entry whose bytes come in pieces.
   *
   * @param size their number in all
   * @param write calls `put` with each piece, in order
   */
  async stream(
    name: string,
    size: number,
    write: (put: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
  ): Promise<void> {
    const encoded = new TextEncoder().encode(name);
    const position = this.sink.position;
    await this.sink.write(this.localHeader(encoded, size, position));
    let sum = 0;
    await write(async (bytes) => {
      sum = crc32(bytes, sum);
      await this.sink.write(bytes);
    });
    const entry = { name: encoded, size, crc32: sum, position };
    this.entries.push(entry);
    // Known only now that the bytes have gone by.
    await this.sink.overwrite(new Fields().u32(sum).bytes(), position + 14);
  }

  /** Writes the directory: the file is complete. */
  async finish(): Promise<void> {
    const start = this.sink.position;
    for (const entry of this.entries) await this.sink.write(this.directoryEntry(entry));
    const size = this.sink.position - start;
    const count = this.entries.length;
    const end = new Fields();
    const large = count >= 0xffff || start >= this.zip64From || size >= this.zip64From;
    if (large) {
      const place = this.sink.position;
      end.u32(0x06064b50).u64(44).u16(45).u16(45).u32(0).u32(0).u64(count).u64(count).u64(size).u64(start);
      end.u32(0x07064b50).u32(0).u64(place).u32(1);
    }
    const few = large ? 0xffff : count;
    end.u32(0x06054b50).u16(0).u16(0).u16(few).u16(few);
    end
      .u32(large ? elsewhere : size)
      .u32(large ? elsewhere : start)
      .u16(0);
    await this.sink.write(end.bytes());
  }

  private localHeader(name: Uint8Array, size: number, position: number): Uint8Array {
    const large = size >= this.zip64From;
    const extra = new Fields();
    if (large) extra.u16(1).u16(16).u64(size).u64(size);
    const before = position + 30 + name.length + extra.length + 4;
    const padding = (alignment - (before % alignment)) % alignment;
    extra.u16(paddingId).u16(padding).raw(new Uint8Array(padding).fill(0x5a));
    return new Fields()
      .u32(0x04034b50)
      .raw(common({ large, sum: 0, size: large ? elsewhere : size, name, extraLength: extra.length }))
      .raw(name)
      .raw(extra.bytes())
      .bytes();
  }

  private directoryEntry({ name, size, crc32: sum, position }: Written): Uint8Array {
    const largeSize = size >= this.zip64From;
    const far = position >= this.zip64From;
    const extra = new Fields();
    const large = largeSize || far;
    if (large) {
      extra.u16(1).u16((largeSize ? 16 : 0) + (far ? 8 : 0));
      if (largeSize) extra.u64(size).u64(size);
      if (far) extra.u64(position);
    }
    return new Fields()
      .u32(0x02014b50)
      .u16(45) // made by
      .raw(common({ large, sum, size: largeSize ? elsewhere : size, name, extraLength: extra.length }))
      .u16(0) // comment
      .u16(0) // disk
      .u16(0) // attributes
      .u32(0)
      .u32(far ? elsewhere : position)
      .raw(name)
      .raw(extra.bytes())
      .bytes();
  }
}

/** What both headers of an entry have: version needed to the length of the extra field. */
function common({ large, sum, size, name, extraLength }: CommonFields): Uint8Array {
  return new Fields()
    .u16(large ? 45 : 20)
    .u16(0x0800) // names are UTF-8
    .u16(0) // stored
    .u16(0)
    .u16(0x21) // 1 January 1980: the same model gives the same file
    .u32(sum)
    .u32(size)
    .u32(size)
    .u16(name.length)
    .u16(extraLength)
    .bytes();
}

interface CommonFields {
  large: boolean;
  sum: number;
  size: number;
  name: Uint8Array;
  extraLength: number;
}

/** Little-endian fields in a row. */
class Fields {
  private readonly parts: Uint8Array[] = [];
  length = 0;

  raw(bytes: Uint8Array): this {
    this.parts.push(bytes);
    this.length += bytes.length;
    return this;
  }

  private number(size: number, value: number): this {
    const bytes = new Uint8Array(size);
    for (let i = 0; i < size; i++) {
      bytes[i] = value % 256;
      value = Math.floor(value / 256);
    }
    return this.raw(bytes);
  }

  u16(value: number): this {
    return this.number(2, value);
  }

  u32(value: number): this {
    return this.number(4, value);
  }

  u64(value: number): this {
    return this.number(8, value);
  }

  bytes(): Uint8Array {
    const all = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }
}
