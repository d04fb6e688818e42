/** What people hunt for, in KQL and as somebody who knows PostgreSQL writes it by hand. Both give the same rows. */
export interface Hunt {
  name: string;
  kql: string;
  sql: string;
}

export const hunts: readonly Hunt[] = [
  {
    name: 'failedLogons',
    kql: `SecurityEvent
      | where TimeGenerated >= datetime(2026-03-25) and EventID == 4625
      | summarize Failures = count() by Account
      | sort by Failures desc, Account asc
      | take 10`,
    sql: `SELECT "Account", count(*) AS "Failures" FROM security_events
      WHERE "TimeGenerated" >= '2026-03-25Z' AND "EventID" = 4625
      GROUP BY "Account" ORDER BY "Failures" DESC, "Account" LIMIT 10`,
  },
  {
    name: 'eventsByKind',
    kql: `SecurityEvent | summarize Events = count() by EventID`,
    sql: `SELECT "EventID", count(*) AS "Events" FROM security_events GROUP BY "EventID"`,
  },
  {
    name: 'logonsByHour',
    kql: `SecurityEvent
      | where EventID in (4624, 4625) and isnotempty(Account)
      | summarize Logons = count(), Accounts = dcount(Account) by bin(TimeGenerated, 1h)`,
    sql: `SELECT date_bin('1 hour', "TimeGenerated", '2000-01-01Z') AS "TimeGenerated",
             count(*) AS "Logons", count(DISTINCT "Account") AS "Accounts" FROM security_events
      WHERE "EventID" IN (4624, 4625) AND "Account" <> '' GROUP BY 1`,
  },
  {
    name: 'lastLogonOfMachines',
    kql: `SecurityEvent | where EventID == 4624 | summarize arg_max(TimeGenerated, EventID, Process, Message) by Computer`,
    sql: `SELECT DISTINCT ON ("Computer") "Computer", "TimeGenerated", "EventID", "Process", "Message" FROM security_events
      WHERE "EventID" = 4624 ORDER BY "Computer", "TimeGenerated" DESC`,
  },
  {
    name: 'newestOfAccount',
    kql: `SecurityEvent
      | where Account == @"CONTOSO\\user7"
      | top 100 by TimeGenerated
      | project TimeGenerated, EventID, Computer, Process, CommandLine`,
    sql: `SELECT "TimeGenerated", "EventID", "Computer", "Process", "CommandLine" FROM security_events
      WHERE "Account" = 'CONTOSO\\user7' ORDER BY "TimeGenerated" DESC LIMIT 100`,
  },
  {
    name: 'newestFailures',
    kql: `SecurityEvent | where EventID == 4625 | top 1000 by TimeGenerated`,
    sql: `SELECT * FROM security_events WHERE "EventID" = 4625 ORDER BY "TimeGenerated" DESC LIMIT 1000`,
  },
  {
    name: 'commandHasWord',
    kql: `SecurityEvent
      | where EventID == 4688 and CommandLine has "mimikatz"
      | project TimeGenerated, Computer, Account, CommandLine`,
    sql: `SELECT "TimeGenerated", "Computer", "Account", "CommandLine" FROM security_events
      WHERE "EventID" = 4688 AND "CommandLine" ~* '\\mmimikatz\\M'`,
  },
  {
    name: 'encodedCommands',
    kql: `SecurityEvent
      | where TimeGenerated between (datetime(2026-03-01) .. datetime(2026-03-31)) and CommandLine contains "-encodedcommand"
      | summarize Commands = count(), First = min(TimeGenerated) by Computer`,
    sql: `SELECT "Computer", count(*) AS "Commands", min("TimeGenerated") AS "First" FROM security_events
      WHERE "TimeGenerated" BETWEEN '2026-03-01Z' AND '2026-03-31Z' AND "CommandLine" ILIKE '%-encodedcommand%'
      GROUP BY "Computer"`,
  },
  {
    name: 'logonProcesses',
    kql: `SecurityEvent
      | where EventID == 4625
      | extend Logon = tostring(attributes.LogonProcessName)
      | summarize Events = count(), Machines = dcount(Computer) by Logon`,
    sql: `SELECT attributes ->> 'LogonProcessName' AS "Logon", count(*) AS "Events", count(DISTINCT "Computer") AS "Machines"
      FROM security_events WHERE "EventID" = 4625 GROUP BY 1`,
  },
  {
    name: 'guessedPasswords',
    kql: `let failed = SecurityEvent
        | where TimeGenerated >= datetime(2026-03-25) and EventID == 4625 and isnotempty(Account)
        | summarize Failures = count() by Account
        | where Failures > 5;
      failed
      | join kind=inner (
          SecurityEvent
          | where TimeGenerated >= datetime(2026-03-25) and EventID == 4624
          | summarize Successes = count(), Last = max(TimeGenerated) by Account
        ) on Account
      | project Account, Failures, Successes, Last`,
    sql: `WITH failed AS (
        SELECT "Account", count(*) AS "Failures" FROM security_events
        WHERE "TimeGenerated" >= '2026-03-25Z' AND "EventID" = 4625 AND "Account" <> ''
        GROUP BY "Account" HAVING count(*) > 5
      ), succeeded AS (
        SELECT "Account", count(*) AS "Successes", max("TimeGenerated") AS "Last" FROM security_events
        WHERE "TimeGenerated" >= '2026-03-25Z' AND "EventID" = 4624 GROUP BY "Account"
      )
      SELECT "Account", "Failures", "Successes", "Last" FROM failed JOIN succeeded USING ("Account")`,
  },
  {
    name: 'accountsOnManyMachines',
    kql: `SecurityEvent
      | where TimeGenerated >= datetime(2026-03-18) and EventID == 4624 and LogonType == 3 and isnotempty(Account)
      | summarize Machines = dcount(Computer), Addresses = make_set(IpAddress) by Account
      | where Machines > 3`,
    sql: `SELECT "Account", count(DISTINCT "Computer") AS "Machines", array_agg(DISTINCT "IpAddress") AS "Addresses"
      FROM security_events
      WHERE "TimeGenerated" >= '2026-03-18Z' AND "EventID" = 4624 AND "LogonType" = 3 AND "Account" <> ''
      GROUP BY "Account" HAVING count(DISTINCT "Computer") > 3`,
  },
  {
    name: 'trafficOfHosts',
    kql: `logs
      | where destination_port == 443
      | summarize Sent = sum(bytes_out), Mean = avg(bytes_in), P95 = percentile(bytes_out, 95), Peers = dcount(destination_ip) by host`,
    sql: `SELECT host, sum(bytes_out)::bigint AS "Sent", avg(bytes_in)::float8 AS "Mean",
             percentile_disc(0.95) WITHIN GROUP (ORDER BY bytes_out) AS "P95", count(DISTINCT destination_ip) AS "Peers"
      FROM logs WHERE destination_port = 443 GROUP BY host`,
  },
];
