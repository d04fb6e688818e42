/** Walks everything that the running product's database roles can touch, and fails for what an organisation does not own. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { datasets } from '../datasets/index.js';
import type { Identity } from '../platform/identity.js';
import { roleNames } from '../platform/postgres/roles.js';
import { createExecutor } from '../platform/subgraph.js';
import { countFeedRows } from '../platform/system/usage.js';
import { WidgetCache } from '../subgraphs/analytics/cache.js';
import { Rollup } from '../subgraphs/analytics/rollup.js';
import { AnalyticsStore } from '../subgraphs/analytics/store.js';
import { subgraphs } from '../subgraphs/index.js';
import { createTestPlatform, type TestPlatform } from './setup/database.js';
import { ingest } from './setup/events.js';
import { readWholeFeed } from './setup/feed.js';

/** Tables that hold nothing of any organisation. Whoever adds one says why here. */
const tablesOfNobody: Record<string, string> = {
  'app.checkpoints': 'where each follower of a log stands: transaction numbers and the names of our own parts',
  'app.job_clocks': 'the virtual time of each worker pool, by the pool’s name',
  'app.job_workers': 'worker processes, their pools and how many jobs they run, of all organisations together',
};

/** Functions that run with their owner's rights; each was read with that in mind, and fixes its search_path. */
const definerFunctions = ['app.ensure_partition(text,date)'];

/** The other functions of ours that the roles may call; those of the schema `fn` compute from their arguments alone. */
const invokerFunctions = ['app.audit_scopes()'];

const runtimeRoles = [roleNames.app, roleNames.query, roleNames.system];
const ownOrg = (column: string) =>
  `(${column} = ( SELECT (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid AS "nullif"))`;

interface Relation {
  oid: number;
  name: string;
  kind: 'r' | 'p' | 'v' | 'm' | 'f' | 'S';
  role: string;
  privileges: string[];
  owner: string;
  enabled: boolean;
  forced: boolean;
  options: string[];
  hasOrgId: boolean;
}

let scene: TestPlatform;
/** One row for each relation and role with any privilege on it, of any column. */
let reachable: Relation[];

const eventTime = '2026-01-15T10:00:00Z';

beforeAll(async () => {
  scene = await createTestPlatform();
  const { orgs } = scene;
  await fill(scene, orgs[0], 3);
  await fill(scene, orgs[1], 1);
  reachable = await scene.database.asSuperuser<Relation>(
    `SELECT c.oid::int, format('%I.%I', nspname, relname) AS name, relkind AS kind, role,
            pg_get_userbyid(relowner) AS owner, relrowsecurity AS enabled, relforcerowsecurity AS forced,
            coalesce(reloptions, '{}') AS options,
            EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'org_id') AS "hasOrgId",
            ARRAY(SELECT p FROM unnest(CASE relkind WHEN 'S' THEN '{USAGE,SELECT,UPDATE}'
                                       ELSE '{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER,MAINTAIN}' END::text[]) AS p
                   WHERE CASE WHEN relkind = 'S' THEN has_sequence_privilege(role, c.oid, p)
                              WHEN p IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES') THEN has_any_column_privilege(role, c.oid, p)
                              ELSE has_table_privilege(role, c.oid, p) END) AS privileges
       FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace CROSS JOIN unnest($1::text[]) AS role
      WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
      ORDER BY name, role`,
    [runtimeRoles],
  );
  reachable = reachable.filter(({ privileges }) => privileges.length > 0);
});
afterAll(() => scene.close());

const names = (relations: Relation[]): string[] => [...new Set(relations.map(({ name }) => name))];
const tables = (): Relation[] => reachable.filter(({ kind }) => kind === 'r' || kind === 'p');
const tenantTables = (): Relation[] => tables().filter(({ name }) => !(name in tablesOfNobody));

describe('roles', () => {
  test('none is a superuser, passes by row policies, makes roles or databases, replicates, or is a member of another', async () => {
    const all = Object.values(roleNames);
    const rows = await scene.database.asSuperuser(
      `SELECT rolname AS name FROM pg_roles
        WHERE rolname = ANY ($1) AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication
              OR EXISTS (SELECT FROM pg_auth_members WHERE member = pg_roles.oid))`,
      [all],
    );
    expect(rows).toEqual([]);
  });

  test('the running product makes nothing in any schema, and enters only those that it needs', async () => {
    const rows = await scene.database.asSuperuser<{ role: string; schema: string; create: boolean }>(
      `SELECT role, nspname AS schema, has_schema_privilege(role, oid, 'CREATE') AS create
         FROM pg_namespace CROSS JOIN unnest($1::text[]) AS role
        WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
          AND (has_schema_privilege(role, oid, 'USAGE') OR has_schema_privilege(role, oid, 'CREATE')) ORDER BY 1, 2`,
      [runtimeRoles],
    );
    expect(rows.map(({ role, schema, create }) => `${role} ${schema}${create ? ' CREATE' : ''}`)).toEqual([
      'harborwatch_app app',
      'harborwatch_query app',
      'harborwatch_query fn',
      'harborwatch_query q',
      'harborwatch_query qb',
      'harborwatch_system app',
    ]);
  });
});

describe('tables', () => {
  test('every table within reach belongs to the owner and has row security enabled and forced', () => {
    expect(names(tenantTables()).length).toBeGreaterThan(8);
    const unsafe = tenantTables().filter(
      ({ enabled, forced, owner }) => !enabled || !forced || owner !== roleNames.owner,
    );
    expect(names(unsafe)).toEqual([]);
  });

  test('no table with an organisation in it is excused, and no excuse is left over', () => {
    const excused = tables().filter(({ name }) => name in tablesOfNobody);
    expect(names(excused.filter(({ hasOrgId }) => hasOrgId))).toEqual([]);
    expect(names(excused).sort()).toEqual(Object.keys(tablesOfNobody).sort());
  });

  test('own_org lets every role see and write exactly its organisation’s rows; only the system role has policies beside it', async () => {
    const oids = [...new Set(tenantTables().map(({ oid }) => oid))];
    const policies = await scene.database.asSuperuser<{
      name: string;
      policy: string;
      own: boolean;
      column: string;
      using: string;
      check: string;
      roles: string[];
    }>(
      `SELECT format('%I.%I', nspname, relname) AS name, coalesce(polname, '') AS policy,
              polcmd = '*' AND polroles = '{0}' AND polpermissive AS own, pg_get_expr(polqual, polrelid) AS using,
              pg_get_expr(polwithcheck, polrelid) AS check,
              ARRAY(SELECT pg_get_userbyid(role)::text FROM unnest(polroles) AS role) AS roles,
              CASE WHEN relname = 'orgs' THEN 'id' ELSE 'org_id' END AS column
         FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace LEFT JOIN pg_policy ON polrelid = c.oid AND polpermissive
        WHERE c.oid = ANY ($1::int[]::oid[]) ORDER BY 1, 2`,
      [oids],
    );
    const isOwnOrg = (row: (typeof policies)[number]) =>
      row.policy === 'own_org' && row.own && row.check === null && row.using === ownOrg(row.column);
    const isForSystem = (row: (typeof policies)[number]) =>
      row.policy.startsWith('system_') && row.roles.join() === roleNames.system;
    expect(policies.filter((row) => !isOwnOrg(row) && !isForSystem(row))).toEqual([]);
    const guarded = new Set(policies.filter(isOwnOrg).map(({ name }) => name));
    expect(names(tenantTables()).filter((name) => !guarded.has(name))).toEqual([]);
  });

  test('no role has a privilege on a partition, since partitions have no policies of their own', async () => {
    const partitions = await scene.database.asSuperuser<{ oid: number }>(
      'SELECT oid::int FROM pg_class WHERE relispartition',
    );
    expect(partitions.length).toBeGreaterThan(0);
    const oids = new Set(partitions.map(({ oid }) => oid));
    expect(names(reachable.filter(({ oid }) => oids.has(oid)))).toEqual([]);
  });

  test('no role truncates, references, or hangs triggers on anything, and the query role only reads', () => {
    const allowed = (role: string) =>
      role === roleNames.query ? ['SELECT'] : ['SELECT', 'INSERT', 'UPDATE', 'DELETE'];
    expect(
      reachable.filter(({ role, privileges }) => privileges.some((privilege) => !allowed(role).includes(privilege))),
    ).toEqual([]);
  });
});

describe('views and functions', () => {
  test('every view within reach looks with the eyes of who asks', () => {
    const views = reachable.filter(({ kind }) => kind === 'v');
    expect(names(views).length).toBeGreaterThanOrEqual(2 * datasets.length);
    const unsafe = views.filter(
      ({ options, owner }) => !options.includes('security_invoker=true') || owner !== roleNames.owner,
    );
    expect(names(unsafe)).toEqual([]);
  });

  test('nothing within reach is a materialized view or a foreign table: they know no row security', () => {
    expect(names(reachable.filter(({ kind }) => kind === 'm' || kind === 'f'))).toEqual([]);
  });

  test('the callable functions are the known ones, and those with their owner’s rights fix their search_path', async () => {
    const rows = await scene.database.asSuperuser<{ name: string; schema: string; definer: boolean; fixed: boolean }>(
      `SELECT p.oid::regprocedure::text AS name, nspname AS schema, prosecdef AS definer,
              EXISTS (SELECT FROM unnest(proconfig) AS setting WHERE setting LIKE 'search_path=%') AS fixed
         FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
        WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
          AND EXISTS (SELECT FROM unnest($1::text[]) AS role WHERE has_function_privilege(role, p.oid, 'EXECUTE')) ORDER BY 1`,
      [runtimeRoles],
    );
    expect(rows.filter(({ definer }) => definer).map(({ name }) => name)).toEqual(definerFunctions);
    expect(rows.filter(({ definer, schema }) => !definer && schema !== 'fn').map(({ name }) => name)).toEqual(
      invokerFunctions,
    );
    expect(rows.filter(({ definer, fixed }) => definer && !fixed)).toEqual([]);
  });

  test('functions of queries change nothing, run in parallel, and are called by the query role alone', async () => {
    const rows = await scene.database.asSuperuser<{ name: string }>(
      `SELECT p.oid::regprocedure::text AS name FROM pg_proc p
        WHERE pronamespace = 'fn'::regnamespace
          AND (provolatile = 'v' OR proparallel <> 's' OR prosecdef OR pg_get_userbyid(proowner) <> $1
               OR NOT has_function_privilege($2, p.oid, 'EXECUTE') OR has_function_privilege('public', p.oid, 'EXECUTE')
               OR has_function_privilege($3, p.oid, 'EXECUTE'))`,
      [roleNames.owner, roleNames.query, roleNames.app],
    );
    expect(rows).toEqual([]);
  });

  test('the query role cannot choose its organisation through set_config', async () => {
    await asRole('query', undefined, async (client) => {
      await expect(client.query(`SELECT set_config('app.org_id', 'x', true)`)).rejects.toMatchObject({ code: '42501' });
    });
  });
});

describe('rows', () => {
  const readableBy = (role: string): Relation[] =>
    reachable.filter(
      (relation) => relation.role === role && relation.kind !== 'S' && relation.privileges.includes('SELECT'),
    );

  test('both organisations have rows in every table, so that there is something to hide', async () => {
    for (const { name } of readableBy(roleNames.app).filter(({ hasOrgId }) => hasOrgId)) {
      const count = `SELECT count(DISTINCT org_id)::int AS orgs FROM ${name}`;
      expect([name, ...(await scene.database.asSuperuser(count))]).toEqual([name, { orgs: 2 }]);
    }
  });

  test('the app role sees no row of another organisation in any table, and none at all without an organisation', async () => {
    const own = scene.orgs[1].orgId;
    for (const { name, hasOrgId } of readableBy(roleNames.app).filter(
      (relation) => !(relation.name in tablesOfNobody),
    )) {
      const foreign = `SELECT count(*)::int AS count FROM ${name} WHERE ${hasOrgId ? 'org_id' : 'id'} <> $1`;
      await asRole('app', own, async (client) =>
        expect([name, await countOf(client, foreign, [own])]).toEqual([name, 0]),
      );
      await asRole('app', undefined, async (client) =>
        expect([name, await countOf(client, `SELECT count(*)::int AS count FROM ${name}`)]).toEqual([name, 0]),
      );
    }
  });

  test('the query role sees its organisation’s events in every view and table, and nothing without an organisation', async () => {
    const foreignBatches = `SELECT batch_no AS batch FROM app.ingest_batches WHERE org_id = $1`;
    const foreign = await scene.database.asSuperuser<{ batch: string }>(foreignBatches, [scene.orgs[0].orgId]);
    expect(foreign.length).toBeGreaterThanOrEqual(datasets.length);
    for (const { name } of readableBy(roleNames.query)) {
      const count = `SELECT count(*)::int AS count FROM ${name}`;
      await asRole('query', undefined, async (client) =>
        expect([name, await countOf(client, count)]).toEqual([name, 0]),
      );
      await asRole('query', scene.orgs[1].orgId, async (client) => {
        const expected = name.startsWith('qb.') ? 0 : 1;
        expect([name, await countOf(client, count)]).toEqual([name, expected]);
        for (const { batch } of foreign) {
          await client.query(`SET LOCAL app.batch_no = '${batch}'`);
          expect([name, await countOf(client, count)]).toEqual([name, expected]);
        }
      });
    }
  });

  test('the app role cannot write a row for another organisation into any table', async () => {
    const writable = tenantTables().filter(
      ({ role, privileges }) => role === roleNames.app && privileges.includes('INSERT'),
    );
    expect(names(writable).length).toBeGreaterThan(5);
    for (const { name, oid } of writable) {
      // Row policies are checked before other constraints, so the organisation, and the month of a partition, are enough.
      const [month] = await scene.database.asSuperuser<{ column: string }>(
        `SELECT quote_ident(attname) AS column FROM pg_partitioned_table JOIN pg_attribute ON attrelid = partrelid AND attnum = partattrs[0]
          WHERE partrelid = $1::int::oid`,
        [oid],
      );
      const columns = month ? `org_id, ${month.column}` : 'org_id';
      const values = month ? `$1, '${eventTime}'` : '$1';
      await asRole('app', scene.orgs[1].orgId, async (client) => {
        const insert = client.query(`INSERT INTO ${name} (${columns}) VALUES (${values})`, [scene.orgs[0].orgId]);
        await expect(insert, name).rejects.toMatchObject({
          code: '42501',
          message: expect.stringContaining('row-level security'),
        });
      });
    }
  });
});

/** Gives an organisation rows in every table; `events` is how many it has of each dataset. */
async function fill({ platform, database }: TestPlatform, identity: Identity, events: number): Promise<void> {
  const executors = subgraphs.map((subgraph) => createExecutor(subgraph, subgraph.create(platform), platform.logger));
  const ask = async (subgraph: string, query: string) => {
    const executor = executors.find(({ name }) => name === subgraph)!;
    const result = await executor.execute({ query }, { identity, remoteIp: null });
    expect(result.errors).toBeUndefined();
    return result.data as any;
  };
  for (const { name, timeColumn } of datasets) {
    await ingest(
      platform,
      identity,
      name,
      Array.from({ length: events }, () => ({ [timeColumn]: eventTime })),
    );
  }
  const email = `user@${identity.orgId}.example`;
  await ask(
    'accounts',
    `mutation { createUser(input: { email: "${email}", name: "U", password: "long enough", roles: [VIEWER] }) { id } }`,
  );
  await ask('accounts', `mutation { signIn(input: { email: "${email}", password: "long enough" }) { expiresAt } }`);
  const key = 'name: "k", capabilities: [{ action: "events:write" }]';
  const { createApiKey } = await ask('accounts', `mutation { createApiKey(input: { ${key} }) { apiKey { id } } }`);
  await ask('accounts', `mutation { revokeApiKey(input: { id: "${createApiKey.apiKey.id}" }) { id } }`);
  const job = 'query: "SELECT 1 AS one FROM logs", callbackUrl: "https://receiver.example/"';
  const { submitJob } = await ask('jobs', `mutation { submitJob(input: { ${job} }) { id } }`);
  await ask('jobs', `mutation { cancelJob(input: { id: "${submitJob.id}" }) { cancelledAt } }`);
  await ask('jobs', '{ callbackSecret { createdAt } }');
  const entry = '{ type: "A", when: "2026-01-15T10:00:00Z", who: "u", msg: "m", pri: "Info" }';
  await ask('audit', `mutation { writeLogEntries(input: { app: "shop", entries: [${entry}] }) { accepted } }`);
  const collection = 'friendlyName: "c", mode: HASH, expireInSeconds: 60, keyFields: ["host"]';
  await ask(
    'collections',
    `mutation { createCollection(input: { ${collection}, query: "SELECT timestamp, host FROM logs" }) { id } }`,
  );
  // The work of others' workers, in short.
  const rollup = new Rollup(new AnalyticsStore(platform.postgres), new WidgetCache(platform.redis, platform.clock));
  await rollup.apply(await readWholeFeed(platform.postgres, identity));
  await countFeedRows(platform.postgres, await readWholeFeed(platform.postgres, identity));
  await database.asSuperuser(
    `INSERT INTO app.quota_notices (org_id, quota, period, threshold) VALUES ($1, 'collections', '2026-01-01', 80)`,
    [identity.orgId],
  );
  await database.asSuperuser(`INSERT INTO app.queue_alerts (org_id, kind) VALUES ($1, 'PENDING_JOBS')`, [
    identity.orgId,
  ]);
  await database.asSuperuser(
    `INSERT INTO app.job_results (org_id, job_id, attempt, first_row, row_count, json_bytes, data)
     SELECT org_id, id, 1, 0, 1, 1, '' FROM app.jobs WHERE org_id = $1`,
    [identity.orgId],
  );
}

/** Runs in a transaction of a role's own connection, with the organisation set as the product sets it; rolled back at the end. */
async function asRole(
  role: 'app' | 'query',
  orgId: string | undefined,
  run: (client: pg.Client) => Promise<void>,
): Promise<void> {
  const client = new pg.Client({ connectionString: scene.database.url(role) });
  await client.connect();
  try {
    await client.query('BEGIN');
    if (orgId !== undefined)
      await client.query(`SET LOCAL app.org_id = '${orgId}'; SET LOCAL app.audit_scopes = '[{}]'`);
    await run(client);
  } finally {
    await client.end();
  }
}

async function countOf(client: pg.Client, sql: string, parameters: unknown[] = []): Promise<number> {
  return (await client.query<{ count: number }>(sql, parameters)).rows[0]!.count;
}
