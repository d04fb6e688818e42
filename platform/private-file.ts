/** Files that only their user can read, replaced as a whole: a crash leaves the old one or the new one, never half of one. */
import { randomUUID } from 'node:crypto';
import { chown, open, rename, rm, stat } from 'node:fs/promises';

/** Writes the file, which keeps its owner where there was one before. */
export async function writePrivateFile(file: string, text: string): Promise<void> {
  const old = await stat(file).catch(() => undefined);
  const draft = `${file}.${randomUUID()}.new`;
  try {
    const handle = await open(draft, 'wx', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    // An administrator who runs as root must not take the file from the program that reads it.
    if (old && process.getuid?.() === 0) await chown(draft, old.uid, old.gid);
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}
