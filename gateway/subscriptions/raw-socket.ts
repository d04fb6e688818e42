/** A client of graphql-transport-ws for tests, that says exactly what it is told to say. */
import { once } from 'node:events';
import { WebSocket } from 'ws';

export interface RawMessage {
  id?: string;
  type: string;
  // biome-ignore lint/suspicious/noExplicitAny: the JSON of a test
  payload?: any;
}

export class RawSocket {
  readonly messages: RawMessage[] = [];
  closed: { code: number; reason: string } | undefined;
  #wake: () => void = () => {};

  constructor(readonly webSocket: WebSocket) {
    webSocket.on('message', (data) => {
      this.messages.push(JSON.parse(String(data)));
      this.#wake();
    });
    webSocket.on('error', () => {});
    webSocket.on('close', (code, reason) => {
      this.closed = { code, reason: String(reason) };
      this.#wake();
    });
  }

  /** Opens the WebSocket, without a word said. */
  static async open(
    url: string,
    protocol = 'graphql-transport-ws',
    headers: Record<string, string> = {},
  ): Promise<RawSocket> {
    const webSocket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, protocol, {
      perMessageDeflate: false,
      headers,
    });
    const socket = new RawSocket(webSocket);
    await once(webSocket, 'open');
    return socket;
  }

  /** Opens it and waits for the acknowledgement. */
  static async connect(url: string, token?: string, headers?: Record<string, string>): Promise<RawSocket> {
    const socket = await RawSocket.open(url, undefined, headers);
    socket.send({ type: 'connection_init', ...(token ? { payload: { authorization: `Bearer ${token}` } } : {}) });
    await socket.until(({ messages }) => messages.some(({ type }) => type === 'connection_ack'));
    return socket;
  }

  send(message: unknown): void {
    this.webSocket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  subscribe(id: string, query: string, variables?: object): void {
    this.send({ id, type: 'subscribe', payload: { query, ...(variables ? { variables } : {}) } });
  }

  /** The payloads of an operation's `next` messages so far. */
  // biome-ignore lint/suspicious/noExplicitAny: the JSON of a test
  of(id: string): any[] {
    return this.messages
      .filter((message) => message.id === id && message.type === 'next')
      .map(({ payload }) => payload);
  }

  /** Waits until what has come is enough, or the socket is closed. */
  async until(enough: (socket: this) => boolean): Promise<this> {
    while (!enough(this) && !this.closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this;
  }

  /** Waits for the end of an operation. */
  async ended(id: string): Promise<RawMessage | undefined> {
    const isEnd = (message: RawMessage) => message.id === id && message.type !== 'next';
    await this.until(({ messages }) => messages.some(isEnd));
    return this.messages.find(isEnd);
  }

  async close(): Promise<void> {
    this.webSocket.terminate();
    await this.until(() => false);
  }
}
