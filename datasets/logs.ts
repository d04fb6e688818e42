import { normaliseSeverity } from './severity.js';
import type { Dataset } from './types.js';

export const logs: Dataset = {
  name: 'logs',
  aliases: ['securewatch-logs-*'],
  description: 'General security events of any source.',
  timeColumn: 'timestamp',
  columns: [
    { name: 'timestamp', type: 'DATETIME', description: 'When the event happened.' },
    {
      name: 'severity',
      type: 'STRING',
      description: 'critical, high, medium, low or info; other spellings are mapped.',
      indexed: true,
    },
    {
      name: 'event_type',
      type: 'STRING',
      description: 'What kind of event it is, such as login_failure.',
      indexed: true,
    },
    { name: 'source_id', type: 'STRING', description: 'The sender that reported it.', indexed: true },
    { name: 'source_type', type: 'STRING', description: 'The kind of sender, such as firewall.' },
    { name: 'source_ip', type: 'IP', description: 'The address that the traffic came from.', indexed: true },
    { name: 'source_port', type: 'INT', description: 'The port that the traffic came from.' },
    { name: 'destination_ip', type: 'IP', description: 'The address that the traffic went to.', indexed: true },
    { name: 'destination_port', type: 'INT', description: 'The port that the traffic went to.' },
    { name: 'protocol', type: 'STRING', description: 'The network or application protocol.' },
    { name: 'bytes_in', type: 'LONG', unit: 'bytes', description: 'Bytes received.' },
    { name: 'bytes_out', type: 'LONG', unit: 'bytes', description: 'Bytes sent.' },
    { name: 'user_name', type: 'STRING', description: 'The account that it is about.', indexed: true },
    { name: 'host', type: 'STRING', description: 'The machine that it happened on.', indexed: true },
    { name: 'message', type: 'STRING', description: 'The event in words.', freeText: true },
  ],
  normalise(event) {
    const { '@timestamp': at, timestamp = at, ...rest } = event;
    return normaliseSeverity({ ...rest, timestamp });
  },
};
