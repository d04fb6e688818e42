import { chmod, mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Credentials, credentialsFile, type SavedLogin } from './credentials.js';

const url = 'http://harborwatch.example';
const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();
const aMinuteAgo = () => new Date(Date.now() - 60_000).toISOString();
const login = (changes: Partial<SavedLogin> = {}): SavedLogin => ({
  url,
  email: 'ada@example.com',
  accessToken: 'access-0',
  refreshToken: 'refresh-0',
  expiresAt: inAnHour(),
  ...changes,
});

let home: string;
let file: string;
beforeEach(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'harborwatch-credentials-'));
  file = credentialsFile({ XDG_CONFIG_HOME: home });
});
afterEach(() => rm(home, { recursive: true }));

/** A server's side of refreshing: each refresh token is good once, and a second use ends the session. */
function session() {
  let current = 0;
  const calls: string[] = [];
  const refresh = async (refreshToken: string) => {
    calls.push(refreshToken);
    if (refreshToken !== `refresh-${current}`) return undefined;
    current += 1;
    return { accessToken: `access-${current}`, refreshToken: `refresh-${current}`, expiresAt: inAnHour() };
  };
  return { calls, refresh };
}

describe('the saved login', () => {
  it('is readable by its owner alone', async () => {
    await new Credentials(file).write(login());
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(path.dirname(file))).mode & 0o777).toBe(0o700);
    await chmod(file, 0o644);
    await new Credentials(file).write(login());
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('lies in the home directory where XDG_CONFIG_HOME is not set or not absolute', () => {
    expect(credentialsFile({ HOME: '/home/ada' })).toBe('/home/ada/.config/harborwatch/credentials.json');
    expect(credentialsFile({ HOME: '/home/ada', XDG_CONFIG_HOME: 'x' })).toBe(
      '/home/ada/.config/harborwatch/credentials.json',
    );
  });

  it('is nobody’s where the file is absent or broken', async () => {
    const credentials = new Credentials(file);
    expect(await credentials.read()).toBeUndefined();
    await credentials.write(login());
    await writeFile(file, '{"url":');
    expect(await credentials.read()).toBeUndefined();
  });

  it('is used as it is until it runs out, and for its own server alone', async () => {
    const { calls, refresh } = session();
    const credentials = new Credentials(file);
    await credentials.write(login());
    expect(await credentials.accessToken(url, undefined, refresh)).toBe('access-0');
    expect(await credentials.accessToken('http://other.example', undefined, refresh)).toBeUndefined();
    expect(calls).toEqual([]);
  });

  it.each([
    ['has run out', { expiresAt: aMinuteAgo() }, undefined],
    ['was refused', {}, 'access-0'],
  ])('is refreshed once by many at the same time when it %s', async (_, changes, refused) => {
    const { calls, refresh } = session();
    await new Credentials(file).write(login(changes));
    const tokens = await Promise.all(
      Array.from({ length: 20 }, () => new Credentials(file).accessToken(url, refused, refresh)),
    );
    expect(new Set(tokens)).toEqual(new Set(['access-1']));
    expect(calls).toEqual(['refresh-0']);
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({
      refreshToken: 'refresh-1',
      email: 'ada@example.com',
    });
  });

  it('that someone else refreshed meanwhile is taken over', async () => {
    const credentials = new Credentials(file);
    await credentials.write(login({ expiresAt: aMinuteAgo() }));
    const token = await credentials.accessToken(url, undefined, async () => {
      await credentials.write(login({ accessToken: 'access-1', refreshToken: 'refresh-1' }));
      return undefined;
    });
    expect(token).toBe('access-1');
  });

  it('has ended where the server does not take the refresh token', async () => {
    const credentials = new Credentials(file);
    await credentials.write(login({ expiresAt: aMinuteAgo() }));
    expect(await credentials.accessToken(url, undefined, async () => undefined)).toBeUndefined();
  });

  it('is not locked for ever by a process that died', async () => {
    const { refresh } = session();
    const credentials = new Credentials(file);
    await credentials.write(login({ expiresAt: aMinuteAgo() }));
    await writeFile(`${file}.lock`, '');
    const longAgo = new Date(Date.now() - 3_600_000);
    await utimes(`${file}.lock`, longAgo, longAgo);
    expect(await credentials.accessToken(url, undefined, refresh)).toBe('access-1');
    await expect(stat(`${file}.lock`)).rejects.toThrow('ENOENT');
  });
});
