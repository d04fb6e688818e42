/** What the supervisor tells people. The logs of the servers and processes go to files. */
import type { Config } from '../../platform/config.js';

// A closed terminal or pipe is no reason to die without a drain.
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});

/** A line of the ordinary course of things. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** A line about something that is wrong. */
export function warn(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** The line that everything is up, and the addresses. Credentials are shown on the first start only. */
export function announce(
  { port, host }: Pick<Config, 'port' | 'host'>,
  credentials?: { email: string; password: string },
): void {
  const everywhere = !host || ['127.0.0.1', '0.0.0.0', '::', '::1'].includes(host);
  const base = `http://${everywhere ? 'localhost' : host}:${port}`;
  say('');
  say('Harborwatch is ready');
  say(`  GraphQL   ${base}/graphql (HTTP and WebSocket)`);
  say(`  GraphiQL  ${base}/graphiql`);
  if (credentials) {
    say(`  Sign in   ${credentials.email}`);
    say(`  Password  ${credentials.password} (shown this once)`);
  }
  say('Stop it with Ctrl-C.');
}
