/** The database's schema as text, from the catalog: the embedded PostgreSQL has no pg_dump. */

type RunQuery = <Row>(sql: string, parameters?: unknown[]) => Promise<Row[]>;

const ours = `nspname NOT LIKE 'pg\\_%' AND nspname NOT IN ('information_schema', 'public')`;

/** Grants of one ACL column as text, in a fixed order. */
const grants = (acl: string): string =>
  `ARRAY(SELECT format('%s TO %s%s', string_agg(privilege_type, ', ' ORDER BY privilege_type),
                       CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee)::text END,
                       CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
           FROM aclexplode(${acl}) GROUP BY grantee, is_grantable
          ORDER BY CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee)::text END, is_grantable)`;

interface Item {
  title: string;
  lines: string[];
}

/** Schemas, types, tables with all that hangs on them, views and functions; not the partitions, which data makes. */
export async function dumpSchema(query: RunQuery): Promise<string> {
  const schemas = await query<Item>(
    `SELECT format('schema %I owner %s', nspname, pg_get_userbyid(nspowner)) AS title,
            ARRAY(SELECT 'grant ' || item FROM unnest(${grants('nspacl')}) AS item) AS lines
       FROM pg_namespace WHERE ${ours} ORDER BY nspname`,
  );
  const types = await query<Item>(
    `SELECT format('type %I.%I', nspname, typname) AS title,
            ARRAY(SELECT 'label ' || enumlabel FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder)
            || ARRAY(SELECT 'check ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE contypid = t.oid ORDER BY conname)
            || ARRAY(SELECT 'grant ' || item FROM unnest(${grants('typacl')}) AS item) AS lines
       FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace
      WHERE ${ours} AND typtype IN ('e', 'd', 'r') ORDER BY nspname, typname`,
  );
  const tables = await query<Item>(
    `SELECT format('table %I.%I owner %s%s', nspname, relname, pg_get_userbyid(relowner),
                   coalesce(' partition by ' || pg_get_partkeydef(c.oid), '')) AS title,
            ARRAY(SELECT format('column %I %s%s%s%s%s', attname, format_type(atttypid, atttypmod),
                                CASE WHEN attcollation <> typcollation THEN ' collate ' || attcollation::regcollation ELSE '' END,
                                CASE WHEN attnotnull THEN ' not null' ELSE '' END,
                                CASE attidentity WHEN 'a' THEN ' identity always' WHEN 'd' THEN ' identity by default' ELSE '' END,
                                coalesce(CASE WHEN attgenerated = '' THEN ' default ' ELSE ' generated ' END || pg_get_expr(adbin, adrelid), ''))
                    FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
                    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
                   WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum)
            || ARRAY(SELECT format('constraint %I %s', conname, pg_get_constraintdef(oid)) FROM pg_constraint
                      WHERE conrelid = c.oid AND contype <> 'n' ORDER BY conname)
            || ARRAY(SELECT 'index ' || pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class i ON i.oid = indexrelid
                      WHERE indrelid = c.oid ORDER BY i.relname)
            || ARRAY(SELECT format('trigger %s', pg_get_triggerdef(oid)) FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal ORDER BY tgname)
            || ARRAY(SELECT 'options ' || item FROM unnest(reloptions) AS item)
            || format('row security %s', CASE WHEN relrowsecurity AND relforcerowsecurity THEN 'enabled and forced'
                                              WHEN relrowsecurity THEN 'enabled' ELSE 'off' END)
            || ARRAY(SELECT format('policy %I %s for %s to %s using %s%s', polname, CASE WHEN polpermissive THEN 'permissive' ELSE 'restrictive' END,
                                   polcmd, CASE polroles WHEN '{0}' THEN 'PUBLIC' ELSE polroles::regrole[]::text END,
                                   regexp_replace(coalesce(pg_get_expr(polqual, polrelid), '-'), '\\s+', ' ', 'g'),
                                   coalesce(' check ' || pg_get_expr(polwithcheck, polrelid), ''))
                       FROM pg_policy WHERE polrelid = c.oid ORDER BY polname)
            || ARRAY(SELECT 'grant ' || item FROM unnest(${grants('relacl')}) AS item)
            || ARRAY(SELECT format('grant on %I %s', attname, item) FROM pg_attribute, unnest(${grants('attacl')}) AS item
                      WHERE attrelid = c.oid AND attacl IS NOT NULL ORDER BY attnum, item) AS lines
       FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
      WHERE ${ours} AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY nspname, relname`,
  );
  const views = await query<Item>(
    `SELECT format('view %I.%I owner %s', nspname, relname, pg_get_userbyid(relowner)) AS title,
            ARRAY(SELECT 'options ' || item FROM unnest(reloptions) AS item)
            || regexp_replace(pg_get_viewdef(c.oid), '\\s+', ' ', 'g')
            || ARRAY(SELECT 'grant ' || item FROM unnest(${grants('relacl')}) AS item) AS lines
       FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
      WHERE ${ours} AND relkind IN ('v', 'm') ORDER BY nspname, relname`,
  );
  const functions = await query<Item>(
    `SELECT format('function %s owner %s', p.oid::regprocedure, pg_get_userbyid(proowner)) AS title,
            string_to_array(rtrim(pg_get_functiondef(p.oid), E'\\n'), E'\\n')
            || ARRAY(SELECT 'grant ' || item FROM unnest(${grants('proacl')}) AS item) AS lines
       FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
      WHERE ${ours} AND prokind IN ('f', 'p') ORDER BY p.oid::regprocedure::text`,
  );
  const items = [...schemas, ...types, ...tables, ...views, ...functions];
  return items
    .map(({ title, lines }) => `${[title, ...lines.map((line) => `  ${line.trim()}`)].join('\n')}\n`)
    .join('\n');
}
