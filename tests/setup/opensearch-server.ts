/**
 * A real OpenSearch for a test run, from the jars of Maven Central: one node with the modules of the distribution that
 * matter here (painless and expressions, aggregations, PIT, `wildcard`, `flat_object`, mapper-extras, reindex).
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { commandLine, endProcess, isRunning } from '../../platform/embedded/processes.js';
import { findJava } from './java.js';
import { fetchJars } from './maven.js';
import { toolchainDir } from './toolchain.js';

const startTimeoutMs = 180_000;
const startAttempts = 3;
const pollMs = 50;
const heapMb = 512;
const mainClass = 'org.codelibs.opensearch.runner.OpenSearchRunner';

const settings = `http.host: 127.0.0.1
transport.host: 127.0.0.1
transport.port: 0
discovery.type: single-node
node.portsfile: true
cluster.routing.allocation.disk.threshold_enabled: false
cluster.max_shards_per_node: 10000
script.max_compilations_rate: 100000/1m
`;
const logging = `status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
`;

/** Starts one in a directory of its own. @returns its URL @throws Error with the reason where it cannot be had */
export async function startOpenSearch(directory: string, log: (line: string) => void): Promise<string> {
  const list = await readFile(new URL('opensearch-jars.json', import.meta.url), 'utf8');
  const jars = path.join(toolchainDir, `opensearch-${createHash('sha256').update(list).digest('hex').slice(0, 8)}`);
  await mkdir(toolchainDir, { recursive: true });
  await fetchJars(jars, JSON.parse(list));
  const java = await findJava(log);
  const configuration = path.join(directory, 'config');
  await mkdir(configuration, { recursive: true });
  await writeFile(path.join(configuration, 'opensearch.yml'), settings);
  await writeFile(path.join(configuration, 'log4j2.properties'), logging);
  for (let attempt = 1; ; attempt++) {
    const url = await start(java, jars, path.join(directory, `start-${attempt}`), configuration);
    if (url) return url;
    if (attempt === startAttempts) throw new Error(`OpenSearch does not start: ${await lastWords(directory, attempt)}`);
  }
}

/** Ends the one of a directory, if one runs. */
export async function endOpenSearch(directory: string): Promise<void> {
  const pid = Number(await readFile(path.join(directory, 'pid'), 'utf8').catch(() => ''));
  if (!pid || !isRunning(pid) || !commandLine(pid)?.includes(directory)) return;
  await endProcess(pid, [{ signal: 'SIGKILL', waitMs: 5_000 }]); // What it holds goes with the run.
}

/** @returns undefined where it ended: the port that it chose was taken in the meantime, say */
async function start(java: string, jars: string, home: string, configuration: string): Promise<string | undefined> {
  await mkdir(home, { recursive: true });
  const output = openSync(path.join(home, 'opensearch.log'), 'a');
  const child = spawn(
    java,
    [
      ...[`-Xms${heapMb}m`, `-Xmx${heapMb}m`, '-XX:+UseSerialGC'],
      '-XX:TieredStopAtLevel=1', // Starts in half the time, and a test run is too short for the second compiler.
      ...['-cp', path.join(jars, '*'), mainClass],
      ...['-basePath', home, '-confPath', configuration, '-numOfNode', '1', '-clusterName', 'harborwatch-test'],
    ],
    { detached: true, stdio: ['ignore', output, output] },
  );
  closeSync(output);
  child.once('error', () => {}); // Seen as a process without a pid.
  child.unref();
  if (!child.pid) return undefined;
  await writeFile(path.join(home, '../pid'), String(child.pid));
  const portsFile = path.join(home, 'node_1/logs/http.ports');
  const deadline = Date.now() + startTimeoutMs;
  while (isRunning(child.pid) && Date.now() < deadline) {
    const [address] = (await readFile(portsFile, 'utf8').catch(() => '')).split('\n');
    if (address && (await answers(`http://${address}`))) return `http://${address}`;
    await delay(pollMs);
  }
  await endProcess(child.pid, [{ signal: 'SIGKILL', waitMs: 5_000 }]);
  return undefined;
}

const answers = (url: string): Promise<boolean> =>
  fetch(`${url}/_cluster/health?wait_for_status=yellow&timeout=20s`).then(
    ({ ok }) => ok,
    () => false,
  );

async function lastWords(directory: string, attempt: number): Promise<string> {
  const text = await readFile(path.join(directory, `start-${attempt}/opensearch.log`), 'utf8').catch(() => '');
  return text.trim().split('\n').at(-1) || 'it said nothing';
}
