/**
 * `npm test`: all tests, or those of the paths and options given to vitest. `--deep` lets the long ones take longer;
 * `--all-servers` fails where tests were skipped because a server could not be had.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { bootstrap, foreground, main, root, withNode } from './bootstrap.mjs';

const resultsFile = path.join(root, '.harborwatch/test-results.json');
/** Written by tests/setup: why tests were skipped, a line for each server that could not be had. */
const missingServersFile = path.join(root, '.harborwatch/missing-servers.txt');
const ownOptions = ['--deep', '--all-servers'];

await main(async () => {
  const node = await bootstrap({ dev: true });
  const args = process.argv.slice(2).filter((arg) => !ownOptions.includes(arg));
  const deep = process.argv.includes('--deep') ? { HARBORWATCH_DEEP: '1' } : {};
  for (const file of [resultsFile, missingServersFile]) rmSync(file, { force: true });
  const status = await foreground(
    node,
    [
      path.join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${resultsFile}`,
      ...args,
    ],
    { env: { ...withNode(node), ...deep } },
  );
  const missing = existsSync(missingServersFile) ? readFileSync(missingServersFile, 'utf8').trim() : '';
  if (missing) console.log(missing);
  console.log(counts(status));
  return status === 0 && missing && process.argv.includes('--all-servers') ? 1 : status;
});

/** The closing line. A file that fails before its first test counts as one failure. */
function counts(status) {
  if (!existsSync(resultsFile)) return '0 passed, 1 failed, 0 skipped';
  const results = JSON.parse(readFileSync(resultsFile, 'utf8'));
  const broken = results.testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  ).length;
  const failed = results.numFailedTests + broken;
  // An error outside every test, in a teardown say, fails the run as well.
  const shown = failed === 0 && status !== 0 ? 1 : failed;
  return `${results.numPassedTests} passed, ${shown} failed, ${results.numPendingTests + results.numTodoTests} skipped`;
}
