/** Random events of two datasets: nulls, empty and foreign texts, equal keys, great numbers, times at the borders of bins. */
import type { JsonValue } from '../../../query/index.js';
import type { PlanColumn } from '../../../query/plan/types.js';
import type { Random } from './random.js';

export type Events = Record<string, JsonValue>[];

/** A dataset as random plans read it. */
export interface Source {
  dataset: string;
  timeColumn: string;
  columns: PlanColumn[];
  /** A column with a value of its own in every event. */
  unique: string;
}

export const sources: Source[] = [
  {
    dataset: 'logs',
    timeColumn: 'timestamp',
    unique: 'bytes_out',
    columns: [
      { name: 'timestamp', type: 'datetime' },
      { name: 'host', type: 'string' },
      { name: 'message', type: 'string' },
      { name: 'source_ip', type: 'string' },
      { name: 'source_port', type: 'long' },
      { name: 'bytes_in', type: 'long' },
      { name: 'bytes_out', type: 'long' },
      { name: 'attributes', type: 'dynamic' },
    ],
  },
  {
    dataset: 'web_activity',
    timeColumn: 'eventdate',
    unique: 'domain',
    columns: [
      { name: 'eventdate', type: 'datetime' },
      { name: 'domain', type: 'string' },
      { name: 'username', type: 'string' },
      { name: 'status', type: 'long' },
      { name: 'response_ms', type: 'real' },
    ],
  },
];

export const texts = [
  '',
  'alpha',
  'Alpha',
  'ALPHA beta',
  'beta-alpha',
  'a_b%c',
  "it's",
  'ñoñó ü',
  '日本',
  '🙂x',
  '42',
  '-7',
  'x\\y',
  '10.0.0.1',
  '8.8.8.8',
  'a,b,,c',
];
export const times = [
  '2024-02-28T23:59:59.999999Z',
  '2024-02-29T00:00:00Z',
  '2024-02-29T00:59:59.999999Z',
  '2024-02-29T01:00:00Z',
  '2024-02-29T12:34:56.789012Z',
  '2024-03-01T00:00:00Z',
  '2024-03-02T23:00:00.5Z',
  '2024-03-03T00:00:00Z',
];
const greatNumbers = [0, 1, -1, 10, -10, 7, 9_007_199_254_740_991, -9_007_199_254_740_991];

/** Events as they are sent, and as they are read: undeclared fields are attributes. */
export function randomEvents(random: Random, count: number): Map<string, { sent: Events; stored: Events }> {
  const maybe = (value: JsonValue): JsonValue => (random.chance(0.2) ? null : value);
  const logs = random.times(count, (index) => {
    const declared = {
      timestamp: random.one(times),
      host: maybe(random.one(texts)),
      message: maybe(random.one(texts)),
      source_ip: maybe(random.one(['10.0.0.1', '10.0.0.2', '8.8.8.8'])),
      source_port: maybe(random.between(0, 4)),
      bytes_in: maybe(random.one(greatNumbers)),
      bytes_out: index,
    };
    const attributes = {
      ...(random.chance(0.7) && { n: random.one<JsonValue>([1, 2, '3', 'x', null]) }),
      ...(random.chance(0.7) && { s: random.one(texts) }),
      ...(random.chance(0.7) && { tags: random.some(['a', 'b', 'c'], random.between(0, 3)) }),
      ...(random.chance(0.5) && { deep: { n: random.between(0, 3), list: [random.between(0, 9), 'z'] } }),
    };
    return { declared, attributes };
  });
  const web = random.times(Math.ceil(count / 2), (index) => ({
    eventdate: random.one(times),
    domain: `d${index}`,
    username: maybe(random.one(texts)),
    status: maybe(random.between(0, 4)),
    response_ms: maybe(random.one([0, 0.25, -0.5, 1.75, 100, -1000.5])),
  }));
  return new Map([
    [
      'logs',
      {
        sent: logs.map(({ declared, attributes }) => ({ ...declared, ...attributes })),
        stored: logs.map(({ declared, attributes }) => ({ ...declared, attributes })),
      },
    ],
    ['web_activity', { sent: web, stored: web }],
  ]);
}
