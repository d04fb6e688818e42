/**
 * `npm run audit`: asks the registry for known weaknesses of what is installed with the product. A step of its own, since
 * not every registry answers.
 *
 * Ends with 0 where nothing of the severity `high` or above is known, with 1 where something is, and with 3, loudly, where
 * the question could not be answered.
 */
import { spawnSync } from 'node:child_process';
import { main, root } from './bootstrap.mjs';

const timeoutMs = 120_000;
const severities = ['critical', 'high', 'moderate', 'low', 'info'];

/** What npm said: the weaknesses by severity, or why there is no answer. */
function ask() {
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const args = ['audit', '--omit=dev', '--json'];
  const { stdout, error } = spawnSync(npm, args, {
    cwd: root,
    encoding: 'utf8',
    timeout: timeoutMs,
    maxBuffer: 2 ** 26,
  });
  if (error) return { unanswered: error.message };
  try {
    const report = JSON.parse(stdout);
    if (report.metadata?.vulnerabilities) return report;
    return { unanswered: report.message ?? report.error?.summary ?? 'the answer is none of an audit' };
  } catch {
    return { unanswered: 'the answer is not JSON' };
  }
}

await main(async () => {
  const report = ask();
  if (report.unanswered !== undefined) {
    const bar = '!'.repeat(80);
    console.error(`${bar}\nTHE DEPENDENCY AUDIT COULD NOT RUN: ${report.unanswered}`);
    console.error(
      `Nothing is known about weaknesses of the dependencies. Run \`npm run audit\` where a registry answers.\n${bar}`,
    );
    return 3;
  }
  const counts = report.metadata.vulnerabilities;
  for (const { name, severity, range, fixAvailable } of Object.values(report.vulnerabilities)) {
    const fix =
      typeof fixAvailable === 'object'
        ? `mended by ${fixAvailable.name} ${fixAvailable.version}`
        : fixAvailable
          ? 'a newer version mends it'
          : 'no version mends it yet';
    console.log(`${severity.padEnd(9)} ${name} ${range}: ${fix}`);
  }
  const found = severities
    .filter((severity) => counts[severity] > 0)
    .map((severity) => `${counts[severity]} ${severity}`);
  console.log(found.length === 0 ? 'No known weaknesses.' : `Known weaknesses: ${found.join(', ')}.`);
  return counts.critical + counts.high > 0 ? 1 : 0;
});
