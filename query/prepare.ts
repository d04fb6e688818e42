/**
 * Preparing and checking with a memory. Dashboards and programs send the same texts again and again, and a worker prepares
 * what was submitted before: an equal text is prepared once a process, and the database is asked about it once.
 */
import { serialize } from 'node:v8';
import { LRUCache } from 'lru-cache';
import type { Engines } from './engines/engines.js';
import type { CheckOptions } from './engines/postgres/check.js';
import { type PrepareOptions, prepareInThread } from './languages/thread/language-thread.js';
import type { PreparedQuery, QueryableDataset } from './prepared-query.js';
import type { ResultColumn } from './result.js';
import { checkOnEngines } from './run.js';

const maxQueries = 2_000;
const maxBytes = 32 * 1024 * 1024;
/** What an object takes in memory against its serialized form, roughly. */
const growth = 4;

const prepared = new LRUCache<string, PreparedQuery>({ max: maxQueries, maxSize: maxBytes });
const beingPrepared = new Map<string, Promise<PreparedQuery>>();

/** A number for each list of datasets: it says what the names of a text mean. */
const datasetLists = new WeakMap<readonly QueryableDataset[], number>();
let lastList = 0;

function keyOf({ language, text, datasets, range, dataset }: PrepareOptions): string {
  let list = datasetLists.get(datasets);
  if (list === undefined) {
    lastList += 1;
    list = lastList;
    datasetLists.set(datasets, list);
  }
  return JSON.stringify([list, language, dataset ?? null, range?.from ?? null, range?.to ?? null, text]);
}

/**
 * Checks a text, resolves its names and translates it. The same object answers for an equal text: nobody changes it.
 * @throws QUERY_* with the place in the caller's text; refusals are not remembered
 */
export async function prepareQuery(options: PrepareOptions): Promise<PreparedQuery> {
  const key = keyOf(options);
  const before = prepared.get(key) ?? beingPrepared.get(key);
  if (before !== undefined) return before;
  const work = prepareInThread(options).then((query) => {
    // Serialized as it crossed the thread: what several steps share is written once.
    prepared.set(key, query, { size: key.length + growth * serialize(query).byteLength });
    return query;
  });
  beingPrepared.set(key, work);
  return work.finally(() => beingPrepared.delete(key));
}

interface Checked {
  columns: ResultColumn[];
}

const checked = new WeakMap<PreparedQuery, WeakMap<Engines, Promise<Checked>>>();

/**
 * Asks the engine about a query without running it: its columns, and what can be wrong with it only there. Asked once for
 * each prepared query: the database parses and describes it, which hangs on tables, views and functions alone, and they
 * change with a migration, before a process starts. Whose rows it would read is settled when it runs.
 * @throws QUERY_* with the place in the text; refusals are not remembered
 */
export async function checkQuery(engines: Engines, query: PreparedQuery, options: CheckOptions): Promise<Checked> {
  let ofEngines = checked.get(query);
  if (ofEngines === undefined) {
    ofEngines = new WeakMap();
    checked.set(query, ofEngines);
  }
  let answer = ofEngines.get(engines);
  if (answer === undefined) {
    answer = checkOnEngines(engines, query, options);
    ofEngines.set(engines, answer);
    answer.catch(() => ofEngines.delete(engines));
  }
  return answer;
}
