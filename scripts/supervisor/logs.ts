/** The log files in the data directory. */
import { mkdir, rename, stat } from 'node:fs/promises';
import path from 'node:path';

const largestBytes = 10 * 1024 * 1024;

/** The path of a log file, the earlier one set aside when it has grown; so no log is more than one start long. */
export async function boundLog(dataDir: string, name: string): Promise<string> {
  const file = path.join(dataDir, 'logs', `${name}.log`);
  await mkdir(path.dirname(file), { recursive: true });
  const size = await stat(file).then(
    (stats) => stats.size,
    () => 0,
  );
  if (size > largestBytes) await rename(file, `${file}.1`);
  return file;
}
