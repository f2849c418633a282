/**
 * Sends on iopub, in order, and at the pace of the slowest client that still reads.
 *
 * A publishing socket has a queue for each subscriber. Left to itself it either grows without bound or loses what goes over
 * its limit. With ZMQ_XPUB_NODROP a send fails while the queue of any subscriber is full; the message is then tried again
 * until there is room, so a slow client gets everything, and whoever produces the messages sees that they wait. But one that
 * has stopped reading (a suspended program, a dead connection) must not hold up the others: after some seconds without any
 * room its messages are dropped. ZeroMQ does not count its queue from then on, until it has read half of it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { XPublisher, type SocketOptions } from "zeromq";

export interface PublisherOptions {
  /** How long all messages wait for a client that reads nothing, in milliseconds. */
  readonly patience?: number;
  readonly log: (line: string) => void;
}

/** Messages in the queue of each subscriber, at most. With the longest chunks of a stream (front/outputs.ts) some 16 MB. */
export const SUBSCRIBER_QUEUE = 64;

/**
 * Long enough for a client that reads its replies first, and for one that reads 400 kB/s (ZeroMQ tells of room only when
 * half of a queue has been read). A suspended client delays the others once by this, and then no more.
 */
const PATIENCE_MS = 20_000;
const LONGEST_PAUSE_MS = 10;

/**
 * A publishing socket whose subscriptions are taken up by hand: what is published between a request for one and its
 * acceptance does not reach the subscriber, whose first message can therefore be its welcome.
 */
export class GreetingSocket extends XPublisher {
  constructor(options: SocketOptions<XPublisher>) {
    super(options);
    this.manual = true;
  }

  /** Accepts the subscription that was received last. */
  accept(topic: Buffer): void {
    this.setStringOption(ZMQ_SUBSCRIBE, topic);
  }

  /** Ends a subscription, as the message that was received last asks. */
  end(topic: Buffer): void {
    this.setStringOption(ZMQ_UNSUBSCRIBE, topic);
  }
}

const ZMQ_SUBSCRIBE = 6;
const ZMQ_UNSUBSCRIBE = 7;

export class Publisher {
  readonly #socket: XPublisher;
  readonly #patience: number;
  readonly #log: (line: string) => void;
  /** Sends on one socket must not overlap: each waits for the one before. */
  #last: Promise<void> = Promise.resolve();
  #closing = false;

  /** @param socket with `noDrop`, and {@link SUBSCRIBER_QUEUE} as its high-water mark */
  constructor(socket: XPublisher, { patience = PATIENCE_MS, log }: PublisherOptions) {
    this.#socket = socket;
    this.#patience = patience;
    this.#log = log;
  }

  /**
   * Resolves when the message is in the queue of every subscriber, or has been given up.
   *
   * @param before is called when all earlier messages have been sent, right before this one
   */
  send(frames: (Uint8Array | string)[], before?: () => void): Promise<void> {
    this.#last = this.#last.then(() => {
      if (before && !this.#socket.closed) before();
      return this.#sendNow(frames);
    });
    return this.#last;
  }

  /** From here on nobody is waited for; resolves when all has been sent. */
  close(): Promise<void> {
    this.#closing = true;
    return this.#last;
  }

  async #sendNow(frames: (Uint8Array | string)[]): Promise<void> {
    let since: number | undefined;
    for (let pause = 1; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      if (this.#socket.closed) return;
      try {
        await this.#socket.send(frames);
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EAGAIN") {
          // A client that has gone away is no reason to stop serving the others.
          this.#log(`a message could not be published: ${String(error)}`);
          return;
        }
      }
      since ??= performance.now();
      if (this.#closing || performance.now() - since > this.#patience) {
        await this.#sendToThoseThatRead(frames);
        return;
      }
      await sleep(pause);
    }
  }

  async #sendToThoseThatRead(frames: (Uint8Array | string)[]): Promise<void> {
    if (!this.#closing) {
      this.#log(
        `a client has read nothing for ${this.#patience / 1000} s: it misses what is published until it reads again`,
      );
    }
    this.#socket.noDrop = false;
    try {
      await this.#socket.send(frames);
    } catch (error) {
      this.#log(`a message could not be published: ${String(error)}`);
    } finally {
      this.#socket.noDrop = true;
    }
  }
}
