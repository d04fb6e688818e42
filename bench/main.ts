/** `npm run bench -- NAME [--json]`: one benchmark; `--json` leaves the last line alone. */
import { type Bench, print } from './frame.js';
import { startup } from './startup.js';

const benches: readonly Bench[] = [startup];

const [name, ...flags] = process.argv.slice(2);
const bench = benches.find((candidate) => candidate.name === name);
if (!bench || flags.some((flag) => flag !== '--json')) {
  process.stderr.write(
    `Usage: npm run bench -- NAME [--json]\n\n${benches.map((item) => `  ${item.name.padEnd(12)} ${item.about}`).join('\n')}\n`,
  );
  process.exit(2);
}
const say = flags.includes('--json') ? () => {} : (line: string) => void process.stdout.write(`${line}\n`);
process.stdout.write(`${print(bench, await bench.run(say), say)}\n`);
