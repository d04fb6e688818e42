import type { Dataset, RawEvent } from './types.js';

/** Fields of the wire formats that are not part of the event itself. */
const account = (event: RawEvent): unknown => {
  if (event.Account !== undefined) return event.Account;
  const user = event.TargetUserName ?? event.SubjectUserName;
  const domain = event.TargetUserName === undefined ? event.SubjectDomainName : event.TargetDomainName;
  if (typeof user !== 'string' || user === '') return undefined;
  return typeof domain === 'string' && domain !== '' ? `${domain}\\${user}` : user;
};

export const securityEvents: Dataset = {
  name: 'security_events',
  aliases: ['SecurityEvent'],
  description: 'The Windows event log: Security, Sysmon, PowerShell and other channels.',
  timeColumn: 'TimeGenerated',
  columns: [
    { name: 'TimeGenerated', type: 'DATETIME', description: 'When the event happened.' },
    {
      name: 'EventID',
      type: 'INT',
      description: 'The number of the event’s kind, such as 4624 for a logon.',
      indexed: true,
    },
    { name: 'Account', type: 'STRING', description: 'The account, as DOMAIN\\user.', indexed: true },
    { name: 'Computer', type: 'STRING', description: 'The machine that logged it.', indexed: true },
    { name: 'Channel', type: 'STRING', description: 'The log it was written to, such as Security.' },
    { name: 'Provider', type: 'STRING', description: 'The part of Windows that wrote it.' },
    { name: 'Level', type: 'STRING', description: 'The level as Windows names it.' },
    { name: 'Task', type: 'STRING', description: 'The category within the provider.' },
    { name: 'Process', type: 'STRING', description: 'The process, as a path or a name.', freeText: true },
    { name: 'ProcessId', type: 'STRING', description: 'The process’s id as it was logged.' },
    { name: 'ParentProcessName', type: 'STRING', description: 'The process that started it.', freeText: true },
    { name: 'CommandLine', type: 'STRING', description: 'The command line of the process.', freeText: true },
    {
      name: 'LogonType',
      type: 'INT',
      description: 'How the account logged on: 2 interactive, 3 network, 10 remote desktop.',
    },
    {
      name: 'IpAddress',
      type: 'STRING',
      description: 'The address that the logon came from, as Windows wrote it.',
      indexed: true,
    },
    { name: 'SubjectUserName', type: 'STRING', description: 'The account that asked.' },
    { name: 'SubjectDomainName', type: 'STRING', description: 'The domain of the account that asked.' },
    { name: 'TargetUserName', type: 'STRING', description: 'The account that it was about.' },
    { name: 'TargetDomainName', type: 'STRING', description: 'The domain of the account that it was about.' },
    { name: 'WorkstationName', type: 'STRING', description: 'The machine that the logon came from.' },
    { name: 'Message', type: 'STRING', description: 'The event in words.', freeText: true },
  ],
  normalise(event) {
    const { '@timestamp': at, TimeGenerated, EventTime, ...rest } = event;
    const known = {
      Computer: event.Computer ?? event.Hostname,
      Provider: event.Provider ?? event.SourceName,
      Level: event.Level ?? event.Severity,
      Task: event.Task === undefined ? undefined : String(event.Task),
      Process: event.Process ?? event.NewProcessName ?? event.Image ?? event.ProcessName,
      ProcessId: event.ProcessId === undefined ? undefined : String(event.ProcessId),
      ParentProcessName: event.ParentProcessName ?? event.ParentImage,
      Account: account(event),
    };
    const set = Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined));
    const eventTime = EventTime === undefined ? {} : { EventTime };
    return { ...rest, ...set, ...eventTime, TimeGenerated: at ?? TimeGenerated ?? EventTime };
  },
};
