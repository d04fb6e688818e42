/** One operation that the page opens on. */
export interface Example {
  /** File name without number and ending, such as `who-am-i`. */
  name: string;
  /** The operation, with a comment that says what it shows. */
  query: string;
  /** Variables with which it runs as it is. */
  variables?: Record<string, unknown>;
}

const files = import.meta.glob<string>('./examples/*.graphql', { query: '?raw', import: 'default', eager: true });

const secondsBefore = (now: Date, seconds: number) => new Date(now.getTime() - seconds * 1_000).toISOString();

/** Examples that write take times of now, or what they write would lie outside the period that other examples read. */
const variables: Record<string, (now: Date) => Record<string, unknown>> = {
  'ingest-events': (now) => ({
    input: {
      dataset: 'website_logs',
      events: [
        {
          request_timestamp: secondsBefore(now, 60),
          ip_address: '203.0.113.7',
          user_agent: 'Mozilla/5.0',
          url: '/login',
          http_method: 'POST',
          status_code: 401,
          response_time: 48,
          username: 'ada',
          user_action: 'login',
          security_level: 'medium',
        },
        {
          request_timestamp: secondsBefore(now, 30),
          ip_address: '203.0.113.7',
          user_agent: 'Mozilla/5.0',
          url: '/account',
          http_method: 'GET',
          status_code: 200,
          response_time: 12,
          referrer: '/login',
          username: 'ada',
          user_action: 'view_account',
          security_level: 'low',
        },
      ],
    },
  }),
  'write-audit-entries': (now) => ({
    input: {
      entries: [
        {
          app: 'Demo',
          module: 'Accounts',
          type: 'A',
          pri: 'Info',
          when: secondsBefore(now, 60),
          who: 'ada',
          op: 'SignIn',
          class: 'User',
          instance: 'ada',
          remote_ip: '203.0.113.7',
          msg: 'Signed in',
          data: { activity_data: 'Signed in with a password' },
        },
        {
          app: 'Demo',
          module: 'Accounts',
          type: 'C',
          pri: 'Info',
          when: secondsBefore(now, 30),
          who: 'ada',
          op: 'Update',
          class: 'User',
          instance: 'ada',
          remote_ip: '203.0.113.7',
          msg: 'Changed the time zone',
          data: {
            change_data: {
              entity: 'User',
              op: 'Update',
              changes: [{ field: 'timeZone', old_value: 'UTC', new_value: 'Europe/Lisbon' }],
            },
          },
        },
      ],
    },
  }),
  // Signing in has put an entry here, so that there is an answer before anything else was written.
  'audit-trail': () => ({ app: 'harborwatch' }),
};

/** The examples in the order of their file numbers, with variables for the given time. */
export function examples(now: Date): Example[] {
  return Object.keys(files)
    .sort()
    .map((path) => {
      const name = path.replace(/^.*\/\d+-/, '').replace(/\.graphql$/, '');
      return { name, query: (files[path] ?? '').trimEnd(), variables: variables[name]?.(now) };
    });
}
