/** Jars from a Maven repository: each is named with its hash, so it does not matter which mirror they come from. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';

const attempts = 3;
const timeoutMs = 120_000;
const parallel = 8;

/** The repository: MAVEN_REPOSITORY_URL, the mirror of central in ~/.m2/settings.xml, or Maven Central. */
async function repositoryUrl(): Promise<string> {
  const settings = await readFile(path.join(homedir(), '.m2/settings.xml'), 'utf8').catch(() => '');
  const mirrors = [...settings.replaceAll(/<!--[\s\S]*?-->/g, '').matchAll(/<mirror>([\s\S]*?)<\/mirror>/g)];
  const central = mirrors.find(([, mirror]) => /<mirrorOf>\s*(\*|central|external:\*)\s*</.test(mirror!))?.[1];
  const mirror = /<url>\s*([^<\s]+)\s*<\/url>/.exec(central ?? '')?.[1];
  return (process.env.MAVEN_REPOSITORY_URL ?? mirror ?? 'https://repo.maven.apache.org/maven2').replace(/\/+$/, '');
}

/**
 * Fetches the jars that `folder` lacks.
 * @param hashes the SHA-256 of each, by `group:artifact:version`
 */
export async function fetchJars(folder: string, hashes: Record<string, string>): Promise<void> {
  const missing = Object.entries(hashes)
    .map(([coordinates, hash]) => ({ coordinates, hash, file: path.join(folder, `${coordinates.split(':')[1]}.jar`) }))
    .filter(({ file }) => !existsSync(file));
  if (missing.length === 0) return;
  await mkdir(folder, { recursive: true });
  const repository = await repositoryUrl();
  const fetchNext = async () => {
    for (let jar = missing.pop(); jar; jar = missing.pop()) {
      const bytes = await fetchJar(repository, jar.coordinates, jar.hash);
      const part = `${jar.file}.${process.pid}`; // Two runs may fetch at once.
      await writeFile(part, bytes);
      await rename(part, jar.file);
    }
  };
  await Promise.all(Array.from({ length: parallel }, fetchNext));
}

async function fetchJar(repository: string, coordinates: string, hash: string): Promise<Buffer> {
  const [group = '', artifact = '', version = ''] = coordinates.split(':');
  const url = `${repository}/${group.replaceAll('.', '/')}/${artifact}/${version}/${artifact}-${version}.jar`;
  for (let attempt = 1; ; attempt++) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      const bytes = Buffer.from(await response.arrayBuffer());
      if (createHash('sha256').update(bytes).digest('hex') !== hash) throw new Error('it is not the file that it was');
      return bytes;
    } catch (error) {
      const { message, cause } = error as Error;
      if (attempt === attempts) {
        const reason = cause instanceof Error ? cause.message : message;
        throw new Error(`the Maven repository does not bring ${coordinates} (${reason})`);
      }
    }
  }
}
