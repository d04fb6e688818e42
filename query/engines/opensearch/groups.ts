/** Groups and their figures, by aggregations that OpenSearch works out exactly; where it cannot be sure, it says so. */
import { firstMoment, lastMoment, momentOf, momentText } from '../../plan/moment.js';
import type { JsonValue } from '../../result.js';
import type { SearchQuery } from './conditions.js';
import { Declined } from './declined.js';
import { metaFields } from './mapping.js';
import type { NativeFigure, NativeGroups, NativeKey } from './native.js';
import type { Requests } from './request.js';

const groupsPerPage = 5_000;
/** What the keys of all groups may weigh. */
const maxKeyBytes = 64 * 1024 * 1024;

// biome-ignore lint/suspicious/noExplicitAny: the shape follows from the request
type Bucket = any;

interface GroupsPage {
  buckets: Bucket[];
  after_key?: object;
}

interface Group {
  keys: JsonValue[];
  values: JsonValue[];
}

/** All groups, a row each: the keys, then the figures. @throws Declined, also for more than `maxGroups` */
export async function readGroups(requests: Requests, native: NativeGroups, maxGroups: number): Promise<JsonValue[][]> {
  const { scan, query, keys, figures } = native;
  const target = { dataset: scan.dataset, query };
  const guards = guardsOf(native);
  const inner = Object.fromEntries(figures.flatMap((figure, index) => figureAggregation(`m${index}`, figure)));
  if (keys.length === 0) {
    const answer = await requests.find(target, { size: 0, track_total_hits: true, aggs: { ...inner, ...guards } });
    checkGuards(answer.aggregations);
    const docCount = answer.hits.total!.value;
    return [figures.map((figure, index) => figureValue(figure, answer.aggregations?.[`m${index}`], docCount))];
  }
  const all = { size: groupsPerPage, sources: keys.map(keySource) };
  const pageAfter = async (after: object | undefined): Promise<GroupsPage> => {
    const composite = after === undefined ? all : { ...all, after };
    const groups = { composite, ...(Object.keys(inner).length > 0 && { aggs: inner }) };
    const aggs = { groups, ...(after === undefined && guards) };
    const { aggregations } = await requests.find(target, { size: 0, track_total_hits: false, aggs });
    if (after === undefined) checkGuards(aggregations);
    return aggregations.groups;
  };
  const isLast = ({ buckets, after_key }: GroupsPage) => after_key === undefined || buckets.length < groupsPerPage;
  let page = await pageAfter(undefined);
  if (!isLast(page)) {
    // More than one page: all of them are of one moment.
    await requests.fix(scan.dataset);
    page = await pageAfter(undefined);
  }
  const merged = new Map<string, Group>();
  let leftBytes = maxKeyBytes;
  while (true) {
    for (const bucket of page.buckets) leftBytes -= addGroup(merged, native, bucket);
    if (merged.size > maxGroups || leftBytes < 0) throw new Declined();
    if (isLast(page)) return [...merged.values()].map((group) => [...group.keys, ...group.values]);
    page = await pageAfter(page.after_key);
  }
}

function keySource(key: NativeKey, index: number): object {
  if (key.kind === 'time')
    return { [`k${index}`]: { histogram: { field: metaFields.timeUs, interval: key.interval } } };
  return { [`k${index}`]: { terms: { field: key.field, missing_bucket: true } } };
}

/** Sums, and least and greatest values, together: they tell whether the sum is exact. */
function figureAggregation(name: string, { field, where }: NativeFigure): [string, object][] {
  const value = field === undefined ? undefined : { stats: { field } };
  if (where !== undefined) return [[name, { filter: where, ...(value && { aggs: { value } }) }]];
  return value === undefined ? [] : [[name, value]];
}

function figureValue({ fn, field, isTime, where }: NativeFigure, found: Bucket, docCount: number): JsonValue {
  if (field === undefined) return where === undefined ? docCount : found.doc_count;
  const { count, min, max, sum } = where === undefined ? found : found.value;
  if (fn === 'count') return count;
  if (count === 0) return fn === 'sum' ? 0 : null;
  const largest = Math.max(Math.abs(min), Math.abs(max));
  if (!(largest <= Number.MAX_SAFE_INTEGER)) throw new Declined();
  if (fn !== 'sum') return isTime ? momentText(BigInt(fn === 'min' ? min : max)) : fn === 'min' ? min : max;
  // Every sum on the way to it is a whole number of a double too.
  if (!(largest * count <= Number.MAX_SAFE_INTEGER)) throw new Declined();
  return sum;
}

/** Events that a group or a figure might miss. */
function guardsOf({ keys }: NativeGroups): Record<string, object> {
  const texts = keys.flatMap((key) => (key.kind === 'text' ? [key.field] : []));
  const hasTime = keys.some(({ kind }) => kind === 'time');
  const long: SearchQuery = { terms: { [metaFields.long]: texts } };
  return {
    ...(texts.length > 0 && { long: { filter: long } }),
    ...(hasTime && { time: { stats: { field: metaFields.timeUs } } }),
  };
}

/** Bins are reckoned in doubles: exact while moments are whole numbers in them, with a bit to spare. */
const farthest = 2 ** 52;

function checkGuards(found: Bucket): void {
  if (found?.long?.doc_count > 0) throw new Declined();
  if (found?.time?.count > 0) {
    const { min, max } = found.time;
    const isReckoned = Math.abs(min) < farthest && Math.abs(max) < farthest;
    if (!isReckoned || BigInt(min) < firstMoment || BigInt(max) > lastMoment) throw new Declined();
  }
}

/** Empty strings and strings that are not there are one group where strings are never null. @returns its keys' weight */
function addGroup(merged: Map<string, Group>, native: NativeGroups, bucket: Bucket): number {
  const { keys, figures, scan } = native;
  const own = keys.map((key, index) => keyValue(key, bucket.key[`k${index}`], scan.nullStrings));
  const values = figures.map((figure, index) => figureValue(figure, bucket[`m${index}`], bucket.doc_count));
  const id = JSON.stringify(own);
  const before = merged.get(id);
  merged.set(id, {
    keys: own,
    values:
      before === undefined ? values : values.map((value, index) => join(figures[index]!, before.values[index]!, value)),
  });
  return id.length;
}

function keyValue(key: NativeKey, found: JsonValue, nullStrings: boolean): JsonValue {
  if (key.kind === 'time') return momentText(BigInt(found as number));
  if (key.kind === 'text') return found ?? (nullStrings ? null : '');
  if (key.kind === 'bool') return found === null ? null : found === true || found === 1 || found === 'true';
  return found;
}

/** A figure of two parts of a group. */
function join({ fn }: NativeFigure, left: JsonValue, right: JsonValue): JsonValue {
  if (left === null || right === null) return left ?? right;
  if (fn === 'count' || fn === 'sum') {
    const sum = Number(left) + Number(right);
    if (!Number.isSafeInteger(sum)) throw new Declined();
    return sum;
  }
  const isLess = typeof left === 'string' ? momentOf(left)! <= momentOf(String(right))! : Number(left) <= Number(right);
  return isLess === (fn === 'min') ? left : right;
}
