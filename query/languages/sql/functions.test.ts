import { afterAll, beforeAll, expect, test } from 'vitest';
import { datasets } from '../../../datasets/index.js';
import { createTestDatabase, type TestDatabase } from '../../../tests/setup/database.js';
import { allowedFunctions, namedOutputColumns, rowFunctionsNotAllowed, syntaxFunctions } from './functions.js';
import { allowedTypes } from './types.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => database?.drop());

const names = async (sql: string, parameters: unknown[] = []) =>
  (await database.asSuperuser<{ name: string }>(sql, parameters)).map(({ name }) => name);

const listed = [...new Set([...allowedFunctions.keys(), ...syntaxFunctions])];

test('every function and type on the lists exists', async () => {
  const functions = await names(
    `SELECT DISTINCT proname AS name FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace`,
  );
  // num_nulls and its like are in; the words that only the grammar knows are not functions.
  expect(listed.filter((name) => !functions.includes(name))).toEqual([]);
  const types = await names('SELECT typname AS name FROM pg_type');
  expect([...allowedTypes].filter((name) => !types.includes(name))).toEqual([]);
});

test('every kind on the list is the catalog’s', async () => {
  const rows = await database.asSuperuser<{ name: string; kinds: string; sets: boolean; volatile: boolean }>(
    `SELECT proname AS name, string_agg(DISTINCT prokind::text, '') AS kinds, bool_or(proretset) AS sets,
            bool_or(provolatile = 'v') AS volatile
       FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = ANY ($1) GROUP BY 1`,
    [listed],
  );
  for (const { name, kinds, sets, volatile } of rows) {
    const kind = allowedFunctions.get(name);
    if (kind === undefined) continue;
    if (kinds.includes('w')) expect([name, kind]).toEqual([name, 'window']);
    else if (kinds.includes('a'))
      expect([name, kind]).toEqual([name, name.endsWith('rank') || name === 'cume_dist' ? 'window' : 'aggregate']);
    else if (sets) expect([name, kind]).toEqual([name, 'set']);
    else if (volatile) expect(['volatile', 'clock']).toContain(kind);
    else if (!name.endsWith('_to_record')) expect(['row', 'clock']).toContain(kind); // those give a row, for FROM alone
  }
});

test('no function on the list takes a name from the catalog or runs SQL', async () => {
  const catalogTypes = [
    'regclass',
    'regproc',
    'regprocedure',
    'regoper',
    'regoperator',
    'regtype',
    'regrole',
    'regnamespace',
    'oid',
    'refcursor',
    'xml',
    'cstring',
    'internal',
  ];
  const reaching = await names(
    `SELECT DISTINCT proname AS name FROM pg_proc
      WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = ANY ($1)
        AND proargtypes::oid[] && (SELECT array_agg(oid) FROM pg_type WHERE typname = ANY ($2))`,
    [listed, catalogTypes],
  );
  // They take oid or xml beside other types, look nothing up, and no query can make a value of those.
  expect(reaching.filter((name) => !['int8', 'text', 'max', 'min'].includes(name))).toEqual([]);
});

test('every function for any row is known, allowed or not', async () => {
  const rowFunctions = await names(
    `SELECT DISTINCT p.proname AS name FROM pg_proc p
       JOIN pg_type t ON t.oid = CASE WHEN p.provariadic <> 0 AND p.pronargs = 1 THEN p.provariadic ELSE p.proargtypes[0] END
      WHERE p.pronargs >= 1 AND p.pronargs - p.pronargdefaults <= 1
        AND t.typname IN ('any', 'anyelement', 'anynonarray', 'record', 'anycompatible', 'anycompatiblenonarray')`,
  );
  const unknown = rowFunctions.filter((name) => !allowedFunctions.has(name) && !rowFunctionsNotAllowed.has(name));
  expect(unknown).toEqual([]);
});

test('the column of every function that names its only one is known', async () => {
  // A function of several columns gives a row, which rowFunctionsNotAllowed covers.
  const rows = await database.asSuperuser<{ name: string; columns: string[] }>(
    `SELECT DISTINCT proname AS name,
            ARRAY(SELECT a.name FROM unnest(proargmodes, proargnames) AS a(mode, name) WHERE a.mode IN ('o', 't')) AS columns
       FROM pg_proc
      WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = ANY ($1) AND proargmodes IS NOT NULL`,
    [listed],
  );
  for (const { name, columns } of rows.filter((row) => row.columns.length === 1)) {
    expect([name, namedOutputColumns.get(name)]).toEqual([name, columns]);
  }
});

test('no catalog can be meant by a dataset’s name, and no function by (...).key or a dataset’s column', async () => {
  expect(
    await names(
      `SELECT relname AS name FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relname !~ '^pg_'`,
    ),
  ).toEqual([]);
  expect(datasets.flatMap(({ name, aliases }) => [name, ...aliases]).filter((name) => name.startsWith('pg_'))).toEqual(
    [],
  );
  expect(
    await names(`SELECT proname AS name FROM pg_proc WHERE proname ~ '^(key|value|f[0-9]{1,2}|ordinality)$'`),
  ).toEqual([]);
});
