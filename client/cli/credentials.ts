/**
 * The saved login: one file that only its owner can read, shared by all processes of that user.
 *
 * A refresh token is good for one use, and a second use ends the whole session. So whoever refreshes holds a lock and
 * reads the file again under it: of several processes one refreshes, and the others find the new tokens.
 */
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';

export interface SavedLogin {
  /** The server that the tokens are from, and the only one that they are sent to. */
  url: string;
  email: string;
  accessToken: string;
  refreshToken: string;
  /** When the access token ends, RFC 3339. */
  expiresAt: string;
}

/** A lock that is older than this was left by a process that died; a refresh takes far less. */
const staleLockMs = 20_000;
const lockPollMs = 50;

/** Where the login is kept. */
export function credentialsFile(env: Record<string, string | undefined>): string {
  const config = env.XDG_CONFIG_HOME;
  return path.join(
    config && path.isAbsolute(config) ? config : path.join(env.HOME ?? homedir(), '.config'),
    'harborwatch/credentials.json',
  );
}

export class Credentials {
  readonly file: string;

  constructor(file: string) {
    this.file = file;
  }

  /** @returns undefined where nobody is signed in, or the file is not ours */
  async read(): Promise<SavedLogin | undefined> {
    try {
      const saved = JSON.parse(await readFile(this.file, 'utf8')) as Partial<SavedLogin> | null;
      return saved?.url && saved.accessToken && saved.refreshToken && saved.expiresAt
        ? ({ email: '', ...saved } as SavedLogin)
        : undefined;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR' || error instanceof SyntaxError) return undefined;
      throw error;
    }
  }

  /** Replaces the file as a whole, so that a reader never sees half of it. */
  async write(login: SavedLogin): Promise<void> {
    const directory = path.dirname(this.file);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await chmod(directory, 0o700);
    const temporary = `${this.file}.${randomUUID()}`;
    try {
      await writeFile(temporary, `${JSON.stringify(login, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
      await rename(temporary, this.file);
    } finally {
      await rm(temporary, { force: true });
    }
  }

  /** @returns whether there was a login */
  async remove(): Promise<boolean> {
    const there = (await stat(this.file).catch(() => undefined)) !== undefined;
    await rm(this.file, { force: true });
    return there;
  }

  /**
   * The access token for a call: the saved one, or a fresh one where it has run out or the server refused it.
   * @param refused the token that the server did not accept
   * @param refresh makes a new session from a refresh token; undefined where the server does not take it any more
   * @returns undefined where the login has ended
   */
  async accessToken(
    url: string,
    refused: string | undefined,
    refresh: (refreshToken: string) => Promise<Omit<SavedLogin, 'url' | 'email'> | undefined>,
    nowMs = Date.now(),
  ): Promise<string | undefined> {
    const usable = (login: SavedLogin | undefined) =>
      login?.url === url && login.accessToken !== refused && Date.parse(login.expiresAt) - nowMs > 30_000
        ? login.accessToken
        : undefined;
    const present = usable(await this.read());
    if (present !== undefined) return present;
    return this.#locked(async () => {
      const login = await this.read();
      const newer = usable(login);
      if (newer !== undefined || login?.url !== url) return newer;
      const session = await refresh(login.refreshToken);
      if (session) {
        await this.write({ ...login, ...session });
        return session.accessToken;
      }
      // Someone without our lock may have been faster: a new login, or a file system without exclusive creation.
      const later = await this.read();
      return later?.refreshToken === login.refreshToken ? undefined : usable(later);
    });
  }

  async #locked<T>(work: () => Promise<T>): Promise<T> {
    const lock = `${this.file}.lock`;
    const giveUpAtMs = Date.now() + 2 * staleLockMs;
    for (;;) {
      const held = await open(lock, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST' || Date.now() > giveUpAtMs) throw error;
      });
      if (held) {
        await held.close();
        break;
      }
      const madeAt = await stat(lock).catch(() => undefined);
      if (madeAt && Date.now() - madeAt.mtimeMs > staleLockMs) await rm(lock, { force: true });
      else await new Promise((resolve) => setTimeout(resolve, lockPollMs));
    }
    try {
      return await work();
    } finally {
      await rm(lock, { force: true });
    }
  }
}
