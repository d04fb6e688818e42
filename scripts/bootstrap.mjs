/**
 * Makes a fresh checkout able to run: Node 24, the dependencies, the build. Plain JavaScript without dependencies,
 * because it runs before any of them is there, on any Node from 18 up. Each part knows when it has nothing to do.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { step } from './progress.mjs';

/** The checkout. */
export const root = fileURLToPath(new URL('..', import.meta.url));
/** Programs that a machine lacks: Node 24, and Redis by platform/embedded. */
const toolchainDir = path.join(root, '.harborwatch/toolchain');
const neededMajor = 24;
/** The folders of sources that tsc compiles; web/ is vite's alone but for its types. */
const sources = ['gateway', 'subgraphs', 'query', 'platform', 'datasets', 'client', 'web', 'bench', 'tests', 'scripts'];

/** Something that a person can put right: its message is printed alone. */
class SetupError extends Error {}

/**
 * Prepares everything and answers the path of Node 24.
 * @param {{ dev: boolean }} needs dev: the tools of tests and checks as well
 * @returns {Promise<string>}
 */
export async function bootstrap(needs) {
  const node = await ensureNode24();
  await ensureDependencies(node, needs);
  await ensureBuild(node);
  return node;
}

/** The path of a Node that is new enough: the one that runs this, or one fetched through npm once. */
export async function ensureNode24() {
  if (Number(process.versions.node.split('.')[0]) >= neededMajor) return process.execPath;
  const name = `node-${process.platform}-${process.arch}`;
  const node = path.join(toolchainDir, 'node_modules', name, 'bin/node');
  if (existsSync(node)) return node;
  await step(`Fetching Node ${neededMajor} (this is Node ${process.versions.node})`, () =>
    npm(process.execPath, [
      'install',
      '--prefix',
      toolchainDir,
      '--no-save',
      '--no-package-lock',
      `${name}@${neededMajor}`,
    ]),
  );
  if (!existsSync(node)) {
    throw new SetupError(
      `npm has no Node ${neededMajor} for this machine (${name}): install it from https://nodejs.org.`,
    );
  }
  return node;
}

/** Installs the dependencies of the lockfile, unless that was done for this lockfile, platform and Node already. */
export async function ensureDependencies(node, { dev }) {
  const hash = createHash('sha256');
  for (const file of ['package.json', 'package-lock.json']) hash.update(readFileSync(path.join(root, file)));
  const wanted = `${hash.digest('hex')} ${process.platform}-${process.arch}`;
  const stampFile = path.join(root, 'node_modules/.harborwatch-installed');
  const [stamp, kind] = read(stampFile).split('\n');
  if (stamp === wanted && (kind === 'all' || !dev)) return;
  // Leaving the tools out would remove them where they were installed before.
  const all = dev || kind === 'all' || existsSync(path.join(root, 'node_modules/vitest'));
  rmSync(stampFile, { force: true });
  // Not `npm ci`: a registry that lacks an optional package of another platform leaves it out of the lockfile.
  // No package needs its install scripts here: platform/embedded makes PostgreSQL's links itself.
  const args = ['install', '--no-save', '--ignore-scripts', ...(all ? ['--include=dev'] : ['--omit=dev'])];
  await step('Installing dependencies', () => npm(node, args));
  writeFileSync(stampFile, `${wanted}\n${all ? 'all' : 'production'}\n`);
}

/** Compiles the server to dist/ and the GraphiQL page to dist/public/, each unless its sources are as they were. */
export async function ensureBuild(node) {
  const lock = read(path.join(root, 'node_modules/.harborwatch-installed')).split('\n')[0];
  const script = (name) => path.join(root, 'node_modules', name);
  const targets = [
    {
      title: 'Compiling the server',
      stampFile: path.join(root, 'dist/.server-stamp'),
      print: fingerprint([...sources, 'tsconfig.json'], /\.(ts|tsx|json)$/, lock),
      // Types are checked by `npm run check`; here they would only cost time.
      args: [
        script('typescript/bin/tsc'),
        '-p',
        root,
        '--noCheck',
        '--incremental',
        '--tsBuildInfoFile',
        path.join(root, 'dist/.tsbuildinfo'),
      ],
    },
    {
      title: 'Building the GraphiQL page',
      stampFile: path.join(root, 'dist/.graphiql-stamp'),
      print: fingerprint(['web'], /./, lock),
      args: [
        script('vite/bin/vite.js'),
        'build',
        '--logLevel',
        'warn',
        '--config',
        path.join(root, 'web/graphiql/vite.config.ts'),
      ],
      skip: !existsSync(path.join(root, 'web/graphiql')),
    },
  ];
  const stale = targets.filter(({ stampFile, print, skip }) => !skip && read(stampFile) !== print);
  if (stale.length === 0) return;
  await step(stale.map(({ title }) => title).join(', '), () =>
    Promise.all(
      stale.map(async ({ args, stampFile, print, title }) => {
        rmSync(stampFile, { force: true });
        await quietly(title, node, args);
        mkdirSync(path.dirname(stampFile), { recursive: true });
        writeFileSync(stampFile, print);
      }),
    ),
  );
}

/** One line that changes when a file of these folders appears, goes or is written. */
function fingerprint(names, pattern, seed) {
  const hash = createHash('sha256').update(seed);
  const visit = (file) => {
    const stats = statSync(file, { throwIfNoEntry: false });
    if (!stats) return;
    if (stats.isDirectory()) {
      for (const name of readdirSync(file).sort()) if (name !== 'node_modules') visit(path.join(file, name));
    } else if (pattern.test(file)) {
      hash.update(`${path.relative(root, file)} ${stats.size} ${stats.mtimeMs}\n`);
    }
  };
  for (const name of names) visit(path.join(root, name));
  return hash.digest('hex');
}

const read = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : '');

/** Runs npm under the given Node: packages choose their release by the Node that npm runs on. */
function npm(node, args) {
  const holder = process.env.npm_execpath ?? '';
  const isNpm = /npm-cli\.c?js$/.test(holder);
  const [program, first] = isNpm ? [node, [holder]] : ['npm', []];
  return quietly('npm', program, [...first, ...args, '--no-fund', '--no-audit', '--loglevel=error'], withNode(node));
}

/** The environment in which `node` is this one. */
export const withNode = (node) => ({
  ...process.env,
  PATH: `${path.dirname(node)}${path.delimiter}${process.env.PATH}`,
});

/** The environment of our own compiled programs: what V8 compiled of them is kept, for a quicker start the next time. */
export const withCompileCache = () => ({
  NODE_COMPILE_CACHE: path.join(toolchainDir, 'compile-cache'),
  ...process.env,
});

/** Runs a program and shows its output only when it fails. */
function quietly(title, program, args, env = process.env) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.once('error', (error) => reject(new SetupError(`${title} does not start: ${error.message}`)));
    child.once('close', (code, signal) => {
      if (code === 0) resolve();
      else
        reject(new SetupError(`${output.trim()}\n${title} failed (${signal ?? `exit ${code}`}); its output is above.`));
    });
  });
}

/**
 * Runs a program in the foreground and answers its exit status. Signals go through to it, so that it ends in its own
 * way; with `channel` it also has an IPC channel, by whose end it notices when we are killed.
 */
export function foreground(program, args, { env = process.env, cwd = root, channel = false } = {}) {
  return new Promise((resolve, reject) => {
    const stdio = ['inherit', 'inherit', 'inherit', ...(channel ? ['ipc'] : [])];
    const child = spawn(program, args, { cwd, env, stdio });
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    const forward = (signal) => child.kill(signal);
    for (const signal of signals) process.on(signal, forward);
    const unwatch = whenNpmIsGone(() => forward('SIGTERM'));
    child.once('error', reject);
    child.once('close', (code, signal) => {
      for (const name of signals) process.off(name, forward);
      unwatch();
      resolve(code ?? 128 + (constants.signals[signal] ?? 0));
    });
  });
}

/**
 * Calls `then` when the npm that runs this script ends before it: npm does not hand on a signal that was sent to it
 * alone, and everything would run on without anybody to stop it. Answers what ends the watch.
 */
function whenNpmIsGone(then) {
  if (!process.env.npm_lifecycle_event) return () => {};
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    then();
  }, 250);
  return () => clearInterval(timer);
}

/**
 * Runs a script's story and exits with the status it answers. What a person can put right is one message, not a trace.
 * @param {() => Promise<number>} story
 */
export async function main(story) {
  try {
    process.exitCode = await story();
  } catch (error) {
    process.stderr.write(`${error instanceof SetupError ? error.message : error.stack}\n`);
    process.exitCode = 1;
  }
}
