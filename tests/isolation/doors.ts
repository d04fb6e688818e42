/** The ways in, with every byte that comes back. */
import { WebSocket } from 'ws';

/** All that a caller gets to see. */
export interface Answer {
  status: number;
  /** Without what differs from request to request. */
  headers: string;
  body: string;
}

export interface Asked {
  query: string;
  variables?: Record<string, unknown>;
}

/** The same for all, so that answers can be compared. */
const requestId = 'isolation-probe';
const ofTheRequest = /^(date|content-length|keep-alive|connection|retry-after|x-ratelimit-.*)$/;

export class Doors {
  constructor(readonly url: string) {}

  async post(token: string | undefined, asked: Asked): Promise<Answer> {
    return this.fetch('/graphql', token, { method: 'POST', body: JSON.stringify(asked) });
  }

  async get(token: string | undefined, { query, variables }: Asked): Promise<Answer> {
    const search = new URLSearchParams({ query, variables: JSON.stringify(variables ?? {}) });
    return this.fetch(`/graphql?${search}`, token, { method: 'GET', headers: { 'apollo-require-preflight': '1' } });
  }

  /** Up to the first event, or the end. */
  async events(token: string | undefined, asked: Asked): Promise<Answer> {
    return this.fetch('/graphql', token, {
      method: 'POST',
      body: JSON.stringify(asked),
      headers: { accept: 'text/event-stream' },
    });
  }

  async fetch(path: string, token: string | undefined, init: RequestInit): Promise<Answer> {
    const leave = new AbortController();
    const headers: Record<string, string> = {
      'content-type': 'application/json',
      'x-request-id': requestId,
      ...(init.headers as Record<string, string>),
    };
    if (token !== undefined) headers.authorization = `Bearer ${token}`;
    const response = await fetch(this.url + path, { ...init, headers, signal: leave.signal });
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
    const body = isStream ? await firstEvent(response) : await response.text();
    leave.abort();
    const kept = [...response.headers].filter(([name]) => !ofTheRequest.test(name));
    return { status: response.status, headers: kept.map((one) => one.join(': ')).join('\n'), body };
  }

  socket(token: string | undefined): Promise<ProbeSocket> {
    return ProbeSocket.open(this.url, token);
  }
}

/** How long a stream that says nothing is listened to. */
const silenceMs = 3_000;

async function firstEvent(response: Response): Promise<string> {
  let text = '';
  const decoder = new TextDecoder();
  const reader = response.body!.getReader();
  const timer = setTimeout(() => reader.cancel().catch(() => {}), silenceMs);
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    text += decoder.decode(chunk.value, { stream: true });
    if (/^event: (next|complete)\ndata:[^\n]*\n\n/m.test(text)) break;
  }
  clearTimeout(timer);
  return text;
}

/** One WebSocket with every message that came. */
export class ProbeSocket {
  readonly messages: string[] = [];
  closed: { code: number; reason: string } | undefined;
  readonly #waiting = new Map<string, (message: string) => void>();
  #count = 0;

  private constructor(private readonly webSocket: WebSocket) {
    webSocket.on('message', (data) => {
      const text = String(data);
      this.messages.push(text);
      const { id } = JSON.parse(text) as { id?: string };
      if (id !== undefined) this.#waiting.get(id)?.(text);
    });
    webSocket.on('close', (code, reason) => {
      this.closed = { code, reason: String(reason) };
      for (const settle of this.#waiting.values()) settle('closed');
    });
  }

  /** Acknowledged, or closed already. */
  static async open(url: string, token: string | undefined): Promise<ProbeSocket> {
    const webSocket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    const socket = new ProbeSocket(webSocket);
    await new Promise((resolve, reject) => {
      webSocket.once('error', reject);
      webSocket.once('close', resolve);
      webSocket.once('message', resolve);
      webSocket.once('open', () => {
        const payload = token === undefined ? {} : { authorization: `Bearer ${token}` };
        webSocket.send(JSON.stringify({ type: 'connection_init', payload }));
      });
    });
    return socket;
  }

  /** The first message about an operation, which then ends; empty for a stream that says nothing. */
  async ask(asked: Asked): Promise<string> {
    const id = this.start(asked);
    const message = await new Promise<string>((resolve) => {
      const timer = setTimeout(() => resolve(''), silenceMs);
      this.#waiting.set(id, (text) => {
        clearTimeout(timer);
        resolve(text);
      });
    });
    this.#waiting.delete(id);
    if (this.webSocket.readyState === WebSocket.OPEN) this.webSocket.send(JSON.stringify({ id, type: 'complete' }));
    return message.replace(`"id":"${id}"`, '"id":""');
  }

  /** Leaves an operation running. */
  start(asked: Asked): string {
    this.#count += 1;
    const id = `probe-${this.#count}`;
    this.webSocket.send(JSON.stringify({ id, type: 'subscribe', payload: asked }));
    return id;
  }

  close(): void {
    this.webSocket.close();
  }
}

/** Runs the work, `width` pieces at once. */
export async function inParallel<Item>(
  items: readonly Item[],
  width: number,
  run: (item: Item) => Promise<void>,
): Promise<void> {
  const rest = items.values();
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (const item of rest) await run(item);
    }),
  );
}
