/** Stored events to hunt in: the same ones every time, as a company's machines would log them over three months. */
import pg from 'pg';

/** When the newest event happened. */
export const newest = '2026-04-01T00:00:00Z';
const days = 90;

/** One in a hundred machines, accounts and addresses makes a fifth of the noise, as it is everywhere. */
const skewed = (n: string, many: number): string =>
  `(CASE WHEN hash${n} % 5 = 0 THEN hash${n} % ${Math.max(1, Math.floor(many / 100))} ELSE hash${n} % ${many} END)`;

/** Fields that follow from the number of the event, through hashes of it. */
const numbered = (from: number, to: number): string => `
  SELECT n, '${newest}'::timestamptz - (($2::bigint - n) * (${days} * 86400000000 / $2::bigint)) * interval '1 microsecond' AS at,
         abs(hashint8(n)) AS hash1, abs(hashint8(n # 1431655765)) AS hash2, abs(hashint8(n # 858993459)) AS hash3
    FROM generate_series(${from}::bigint, ${to}::bigint) n`;

const securityEvents = (from: number, to: number): string => `
  INSERT INTO app.security_events (org_id, batch_no, "TimeGenerated", "EventID", "Account", "Computer", "Channel",
    "Provider", "Level", "Process", "ParentProcessName", "CommandLine", "LogonType", "IpAddress", "SubjectUserName",
    "TargetUserName", "TargetDomainName", "Message", attributes)
  SELECT $1, n / 1000, at,
         (ARRAY[4624, 4624, 4624, 4634, 4634, 4688, 4688, 4672, 5156, 5156, 5158, 4625, 4663, 4663, 4658, 4703, 1, 3, 7, 4104])[1 + hash1 % 20],
         CASE WHEN hash2 % 50 > 0 THEN 'CONTOSO\\user' || ${skewed('2', 20_000)} END,
         'HOST-' || ${skewed('3', 2_000)}, 'Security', 'Microsoft-Windows-Security-Auditing', 'Information',
         (ARRAY['C:\\Windows\\System32\\svchost.exe', 'C:\\Windows\\System32\\cmd.exe', 'C:\\Windows\\explorer.exe',
                'C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe'])[1 + hash2 % 4],
         'C:\\Windows\\explorer.exe',
         CASE WHEN hash1 % 20 IN (5, 6) THEN CASE hash1 / 20 % 5000
           WHEN 0 THEN 'powershell.exe -NoProfile -EncodedCommand SQBFAFgA' || hash2
           WHEN 1 THEN 'C:\\Temp\\Mimikatz.exe privilege::debug sekurlsa::logonpasswords'
           ELSE 'C:\\Windows\\System32\\svchost.exe -k netsvcs -p -s Service' || hash2 % 300 END END,
         CASE WHEN hash1 % 20 IN (0, 1, 2, 11) THEN (ARRAY[2, 3, 3, 3, 10])[1 + hash3 % 5] END,
         CASE WHEN hash1 % 20 IN (0, 1, 2, 11) THEN '10.' || hash2 % 4 || '.' || hash3 % 64 || '.' || hash2 % 251 END,
         'SYSTEM', 'user' || hash2 % 20000, 'CONTOSO', 'An event of the Windows security log, number ' || n,
         jsonb_build_object('Keywords', '0x8020000000000000', 'ThreadID', hash2 % 8000,
           'LogonProcessName', (ARRAY['User32', 'Kerberos', 'NtLmSsp', 'Advapi'])[1 + hash3 % 4],
           'Status', (ARRAY['0x0', '0xc000006d'])[1 + hash2 % 2])
    FROM (${numbered(from, to)}) AS numbered`;

const logs = (from: number, to: number): string => `
  INSERT INTO app.logs (org_id, batch_no, timestamp, severity, event_type, source_id, source_type, source_ip, source_port,
    destination_ip, destination_port, protocol, bytes_in, bytes_out, user_name, host, message)
  SELECT $1, n / 1000, at, (ARRAY['info', 'info', 'info', 'low', 'medium', 'high'])[1 + hash1 % 6], 'connection',
         'fw' || hash2 % 8, 'firewall', ('10.' || hash2 % 4 || '.' || hash3 % 64 || '.' || hash2 % 251)::inet, hash1 % 60000,
         ('198.51.' || hash3 % 200 || '.' || ${skewed('2', 250)})::inet, (ARRAY[443, 443, 80, 53, 22])[1 + hash3 % 5], 'tcp',
         hash1 % 100000, hash2 % 1000000, CASE WHEN hash1 % 3 = 0 THEN 'user' || hash2 % 5000 END,
         'HOST-' || ${skewed('3', 2_000)}, 'Connection ' || n || ' was let through'
    FROM (${numbered(from, to)}) AS numbered`;

const eventsPerStatement = 100_000;

/** Fills both datasets over two connections, and gathers what the planner knows of them. */
export async function fill(
  superuserUrl: string,
  orgId: string,
  counts: { securityEvents: number; logs: number },
): Promise<void> {
  const pool = new pg.Pool({ connectionString: superuserUrl, max: 2 });
  try {
    for (const dataset of ['security_events', 'logs']) {
      for (let month = 0; month <= days / 30 + 1; month++) {
        await pool.query(
          `SELECT app.ensure_partition($1, (date_trunc('month', $2::timestamptz) - $3::int * interval '1 month')::date)`,
          [dataset, newest, month],
        );
      }
    }
    const insert = async (count: number, statement: (from: number, to: number) => string, half: number) => {
      for (let from = half * eventsPerStatement; from < count; from += 2 * eventsPerStatement) {
        await pool.query(statement(from, Math.min(count, from + eventsPerStatement) - 1), [orgId, count]);
      }
    };
    // Indexes are made at once and last: a row at a time they take longer than the rows.
    const indexes = await pool.query<{ name: string; definition: string }>(
      `SELECT indexrelid::regclass AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index
        WHERE indrelid IN ('app.security_events'::regclass, 'app.logs'::regclass) AND NOT indisprimary`,
    );
    for (const { name } of indexes.rows) await pool.query(`DROP INDEX ${name}`);
    for (const [count, statement] of [
      [counts.securityEvents, securityEvents],
      [counts.logs, logs],
    ] as const) {
      await Promise.all([0, 1].map((half) => insert(count, statement, half)));
    }
    await Promise.all(indexes.rows.map(({ definition }) => pool.query(definition.replace(' ON ONLY ', ' ON '))));
    await pool.query('VACUUM (ANALYZE) app.security_events, app.logs');
  } finally {
    await pool.end();
  }
}
