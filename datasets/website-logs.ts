import type { Dataset } from './types.js';

export const websiteLogs: Dataset = {
  name: 'website_logs',
  aliases: ['website_logs_source'],
  description: 'Requests to web sites, with what the visitor did.',
  timeColumn: 'request_timestamp',
  columns: [
    { name: 'request_timestamp', type: 'DATETIME', description: 'When the request came.' },
    { name: 'ip_address', type: 'STRING', description: 'The visitor’s address.', indexed: true },
    { name: 'user_agent', type: 'STRING', description: 'The browser, as it calls itself.', freeText: true },
    { name: 'url', type: 'STRING', description: 'The address that was asked for.', freeText: true },
    { name: 'http_method', type: 'STRING', description: 'GET, POST, ...' },
    { name: 'status_code', type: 'INT', description: 'The HTTP status of the answer.', indexed: true },
    { name: 'response_time', type: 'INT', unit: 'ms', description: 'How long the answer took.' },
    { name: 'referrer', type: 'STRING', description: 'The page that the visitor came from.', freeText: true },
    { name: 'user_id', type: 'STRING', description: 'The visitor’s account id.' },
    { name: 'username', type: 'STRING', description: 'The visitor’s account name.', indexed: true },
    { name: 'user_action', type: 'STRING', description: 'What the visitor did, such as login or view_page.' },
    { name: 'security_level', type: 'STRING', description: 'The level that the site gave the request.' },
  ],
};
