/** What the gateway's benchmark promises. */
import type { Floor } from '../floors.js';

export const gatewayFloors: readonly Floor[] = [
  {
    name: 'httpVsStock',
    at: 'least',
    value: 6,
    what: 'requests/s over Apollo Server with Apollo’s gateway, HTTP subgraphs, nothing shared; aim 8',
  },
  { name: 'inProcessVsStock', at: 'least', value: 10, what: 'the same with our subgraphs in process; aim 14' },
  {
    name: 'httpVsHiveGateway',
    at: 'least',
    value: 1.5,
    what: 'requests/s over Hive Gateway with its native runtime, nothing shared',
  },
  {
    name: 'httpVsHiveGatewayDefault',
    at: 'least',
    value: 1.5,
    what: 'ours sharing nothing, over Hive Gateway as it comes: it sends equal subgraph requests of all clients once',
  },
  {
    name: 'sharedVsHiveGatewayShared',
    at: 'least',
    value: 3,
    what: 'the same, equal queries in flight shared in both',
  },
  { name: 'smallVsStock', at: 'least', value: 6, what: 'requests/s of one fetch with a small answer, HTTP' },
  {
    name: 'p99VsStock',
    at: 'most',
    value: 0.2,
    what: 'the worse of our two p99, over HTTP and in process, over that of Apollo over HTTP',
  },
  {
    name: 'heapGrowth',
    at: 'most',
    value: 1.1,
    what: 'the heap after 100,000 distinct operations over that after 40,000, when the caches are full',
  },
  {
    name: 'planningStallMs',
    at: 'most',
    value: 50,
    what: 'the longest stall of the event loop, in time that it worked, while 500 new operations are planned',
  },
  { name: 'planningApolloStallMs', at: 'most', value: 50, what: 'the same with Apollo’s planner' },
];

/** Figures by contender and operation, such as `stockLargeRps`. */
export type Figures = Record<string, number>;

/** The ratios of what was measured. */
export function gatewayRatios(figures: Figures): Record<string, number> {
  const over = (one: string, other: string): number => (figures[one] ?? Number.NaN) / (figures[other] ?? Number.NaN);
  const p99Http = over('httpLargeP99Ms', 'stockLargeP99Ms');
  const p99InProcess = over('inProcessLargeP99Ms', 'stockLargeP99Ms');
  const ratios = {
    httpVsStock: over('httpLargeRps', 'stockLargeRps'),
    inProcessVsStock: over('inProcessLargeRps', 'stockLargeRps'),
    httpVsHiveGateway: over('httpLargeRps', 'hiveLargeRps'),
    httpVsHiveGatewayDefault: over('httpLargeRps', 'hiveDefaultLargeRps'),
    sharedVsHiveGatewayShared: over('httpSharedLargeRps', 'hiveSharedLargeRps'),
    smallVsStock: over('httpSmallRps', 'stockSmallRps'),
    smallInProcessVsStock: over('inProcessSmallRps', 'stockSmallRps'),
    smallVsHiveGateway: over('httpSmallRps', 'hiveDefaultSmallRps'),
    p99VsStock: Math.max(p99Http, p99InProcess),
    p99HttpVsStock: p99Http,
    p99InProcessVsStock: p99InProcess,
    heapGrowth: over('memoryHeapMiBAtEnd', 'memoryHeapMiBWarm'),
  };
  // What took no part has no ratio.
  return Object.fromEntries(Object.entries(ratios).filter(([, ratio]) => Number.isFinite(ratio)));
}
