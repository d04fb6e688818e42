import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Interrupted } from '../interruption.js';
import { openSource } from './source.js';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'harborwatch-source-'));
});
afterAll(() => rm(directory, { recursive: true }));

const never = new AbortController().signal;

async function textOf(content: Buffer | string): Promise<string> {
  const file = path.join(directory, 'file');
  await writeFile(file, content);
  return drain((await openSource(file, Readable.from([]), never)).text);
}
async function drain(pieces: AsyncIterable<string>): Promise<string> {
  let text = '';
  for await (const piece of pieces) text += piece;
  return text;
}

describe('a source', () => {
  it('is read as it is, and inflated where its first bytes say gzip, of several members too', async () => {
    expect(await textOf('plain\n')).toBe('plain\n');
    expect(await textOf('')).toBe('');
    expect(await textOf(gzipSync('packed\n'))).toBe('packed\n');
    expect(await textOf(Buffer.concat([gzipSync('one\n'), gzipSync('two\n')]))).toBe('one\ntwo\n');
  });

  it('loses its byte order mark', async () => {
    expect(await textOf('\uFEFFa,b\n')).toBe('a,b\n');
  });

  it('comes from standard input a byte at a time, gzipped, with letters cut apart', async () => {
    const bytes = gzipSync('café 漢字\n');
    const stdin = Readable.from([...bytes].map((byte) => Buffer.from([byte])));
    const source = await openSource('-', stdin, never);
    expect(await drain(source.text)).toBe('café 漢字\n');
    expect(source.readBytes()).toBe(bytes.length);
    expect(source.totalBytes).toBeUndefined();
  });

  it('that cannot be read says why, and what to do', async () => {
    const open = (file: string) => openSource(file, Readable.from([]), never);
    await expect(open(path.join(directory, 'absent'))).rejects.toThrow(/There is no file .*absent/);
    await expect(open(directory)).rejects.toThrow('is a directory');
    await expect(textOf(gzipSync('x'.repeat(10_000)).subarray(0, 30))).rejects.toThrow('broken or cut off');
    await expect(textOf(Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0]))).rejects.toThrow('zstd -dc FILE |');
    await expect(textOf(Buffer.from('\uFEFFabc', 'utf16le'))).rejects.toThrow('iconv -f UTF-16');
  });

  it('ends with the signal while standard input is silent', async () => {
    const controller = new AbortController();
    const source = await openSource('-', new PassThrough(), controller.signal);
    const reading = drain(source.text);
    controller.abort();
    await expect(reading).rejects.toThrow(Interrupted);
  });
});
