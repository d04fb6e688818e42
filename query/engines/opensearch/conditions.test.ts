/** Random conditions over random texts and figures find what PostgreSQL finds, and other conditions no less. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Identity } from '../../../platform/identity.js';
import { Random } from '../../../tests/query/random/random.js';
import { ingest } from '../../../tests/setup/events.js';
import { findOpenSearch } from '../../../tests/setup/opensearch.js';
import {
  ask,
  createTwoEngines,
  eventsOf,
  onPostgres,
  outcomeOf,
  type TwoEngines,
  unordered,
} from '../../../tests/setup/two-engines.js';
import { column, filter, literal } from '../../plan/build.js';
import { call } from '../../plan/functions/index.js';
import type { Expr, PlanColumn, Scan } from '../../plan/types.js';

const openSearch = await findOpenSearch();
const conditions = process.env.HARBORWATCH_DEEP ? 4_000 : 250;

/** Letters with two cases or meanings, and what stands between words. */
const letters = [
  ...'aAkKiIsSéÉ0* ?\\_-.%"',
  '\u212A',
  '\u0130',
  '\u017F',
  '\u212B',
  '\u00e5',
  '\u00df',
  '😀',
  '\n',
  '日',
];
const wholes = ['0', '1', '-1', '7', '9007199254740993', '9223372036854775807', '-9223372036854775808'];

const random = new Random(7);
const text = (most: number): string => random.times(random.between(0, most), () => random.one(letters)).join('');

const columns: PlanColumn[] = [
  { name: 'user_name', type: 'string' },
  { name: 'message', type: 'string' },
  { name: 'source_ip', type: 'string' },
  { name: 'source_port', type: 'long' },
  { name: 'bytes_in', type: 'long' },
];
const textColumns = columns.filter(({ type }) => type === 'string').map(column);
const wholeColumns = columns.filter(({ type }) => type === 'long').map(column);

const words = ['has', 'hasprefix', 'hassuffix', 'contains', 'startswith', 'endswith'];
const textOperators = ['==', '!=', '=~', '!~', ...words.flatMap((word) => [word, `${word}_cs`, `!${word}`])];
const wholeOperators = ['==', '!=', '=', '<>', '<', '<=', '>', '>='];

/** @param strings whether they can be null; KQL's own cannot, and SQL's functions are for those that can */
function condition(depth: number, strings: 'NULLABLE' | 'NEVER_NULL'): Expr {
  const isStrict = strings === 'NULLABLE' && random.chance(0.3);
  const kind = random.between(0, depth > 0 ? 8 : 5);
  const value = literal('string', text(3));
  const whole = literal('long', random.one(wholes));
  if (kind < 2)
    return call(isStrict ? random.one(['=', '<>']) : random.one(textOperators), [random.one(textColumns), value]);
  if (kind === 2)
    return call(
      random.one(wholeOperators),
      random.chance(0.8) ? [random.one(wholeColumns), whole] : [whole, random.one(wholeColumns)],
    );
  if (kind === 3)
    return call(random.one(['isnull', 'isnotnull', 'isempty', 'isnotempty', 'sql_isnull']), [
      random.one([...textColumns, ...wholeColumns]),
    ]);
  if (kind === 4)
    return call(isStrict ? 'sql_in' : random.one(['in', '!in']), [
      random.one(textColumns),
      value,
      literal('string', text(2)),
      literal('string', ''),
    ]);
  if (kind === 5) return call(random.one(['in', '!in']), [random.one(wholeColumns), whole, literal('long', 7)]);
  if (kind === 6) return call('not', [condition(depth - 1, strings)]);
  return call(random.one(['and', 'or', 'sql_and', 'sql_or']), [
    condition(depth - 1, strings),
    condition(depth - 1, strings),
  ]);
}

describe.skipIf(!openSearch)('random conditions on OpenSearch', () => {
  let engines: TwoEngines;
  let one: Identity;
  beforeAll(async () => {
    engines = await createTwoEngines(openSearch!);
    one = engines.scene.orgs[0];
    const events = Array.from({ length: 400 }, () => ({
      timestamp: '2026-11-01T00:00:00Z',
      user_name: random.chance(0.1) ? null : text(4),
      message: random.chance(0.1) ? null : text(6),
      source_ip: random.one([null, '10.0.0.1', '::1']),
      source_port: random.one([null, 0, 1, 7]),
      bytes_in: random.one([null, ...wholes]),
    }));
    await ingest(engines.scene.platform, one, 'logs', events);
  });
  afterAll(() => engines?.close());

  it(`${conditions} of them are answered alike, with strings that are null and with such that are not`, async () => {
    for (let n = 0; n < conditions; n++) {
      const nullStrings = random.chance(0.5);
      const predicate = condition(3, nullStrings ? 'NULLABLE' : 'NEVER_NULL');
      const plan = filter({ ...(eventsOf('logs', columns) as Scan), nullStrings }, predicate);
      const wanted = unordered(await onPostgres(engines, plan, one));
      const given = unordered(await outcomeOf(ask(engines.alone, plan, one)));
      expect(given, JSON.stringify({ nullStrings, predicate })).toEqual(wanted);
    }
  }, 3_600_000);
});
