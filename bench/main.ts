/** `npm run bench -- NAME [--json] [--only PART,PART]`: one benchmark; `--json` leaves the last line alone. */
import { parseArgs } from 'node:util';
import { type Bench, print } from './frame.js';
import { gateway } from './gateway/bench.js';
import { identity } from './identity/bench.js';
import { jobs } from './jobs/bench.js';
import { query } from './query/bench.js';
import { startup } from './startup.js';
import { subscriptions } from './subscriptions/bench.js';

const benches: readonly Bench[] = [startup, gateway, subscriptions, identity, query, jobs];

function readArguments(): { bench: Bench; json: boolean; only: string[] } | undefined {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { json: { type: 'boolean', default: false }, only: { type: 'string' } },
    });
    const bench = benches.find(({ name }) => name === positionals[0]);
    const only = values.only?.split(',') ?? [];
    if (!bench || positionals.length > 1 || only.some((part) => !bench.parts?.includes(part))) return undefined;
    return { bench, json: values.json, only };
  } catch {
    return undefined;
  }
}

const chosen = readArguments();
if (!chosen) {
  const lines = benches.flatMap(({ name, about, parts }) => [
    `  ${name.padEnd(14)} ${about}`,
    ...(parts ? [`  ${''.padEnd(14)} parts: ${parts.join(', ')}`] : []),
  ]);
  process.stderr.write(`Usage: npm run bench -- NAME [--json] [--only PART,PART]\n\n${lines.join('\n')}\n`);
  process.exit(2);
}
const { bench, json, only } = chosen;
const say = json ? () => {} : (line: string) => void process.stdout.write(`${line}\n`);
process.stdout.write(`${print(bench, await bench.run({ say, only }), say)}\n`);
