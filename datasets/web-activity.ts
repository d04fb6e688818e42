import type { Dataset } from './types.js';

export const webActivity: Dataset = {
  name: 'web_activity',
  aliases: ['siem.logtrust.web.activity', 'siem.logtrust.web.activityAll'],
  description: 'What users did on Harborwatch itself; the gateway records its own requests here.',
  timeColumn: 'eventdate',
  columns: [
    { name: 'eventdate', type: 'DATETIME', description: 'When the request came.' },
    { name: 'domain', type: 'STRING', description: 'The organisation’s slug.' },
    { name: 'username', type: 'STRING', description: 'The user, by email.', indexed: true },
    { name: 'action', type: 'STRING', description: 'query, mutation, subscription or ingest.' },
    { name: 'operation', type: 'STRING', description: 'The operation’s name, where it has one.' },
    { name: 'url', type: 'STRING', description: 'The path of the request.', freeText: true },
    { name: 'status', type: 'INT', description: 'The HTTP status of the answer.' },
    { name: 'response_ms', type: 'REAL', unit: 'ms', description: 'How long the answer took.' },
    { name: 'ip', type: 'STRING', description: 'The address that the request came from.' },
    { name: 'user_agent', type: 'STRING', description: 'The program that asked, as it calls itself.', freeText: true },
  ],
};
