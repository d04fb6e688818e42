/** The command line of `npm run worker`. */
import { parseArgs } from 'node:util';
import { ConfigError, loadConfig } from '../../platform/config.js';

/** What `--help` prints. */
export const workerUsage = `Usage: npm run worker -- [options]

  --pool NAME          run the jobs of the organisations in this pool alone (WORKER_POOL; default shared: the jobs of all
                       others, and everything else that Harborwatch does in the background)
  --concurrency N      how many jobs each process runs at once (WORKER_CONCURRENCY; default 4)
  --processes MIN-MAX  how many processes run: MIN always, up to MAX while the queue is deep (WORKER_PROCESSES; default 1)
  --help               show this

Beside an installation on this machine it needs no settings (HARBORWATCH_DATA_DIR names its directory). Elsewhere they are
those of the gateway process: DATABASE_APP_URL, DATABASE_QUERY_URL, DATABASE_SYSTEM_URL, REDIS_URL, CURSOR_KEY,
TOKEN_SIGNING_KEY and API_KEY_SECRET.`;

const settingOf = { pool: 'WORKER_POOL', concurrency: 'WORKER_CONCURRENCY', processes: 'WORKER_PROCESSES' } as const;

export interface WorkerArguments {
  help: boolean;
  /** What the options say, by the settings that they win over. */
  settings: Record<string, string>;
}

/** @throws ConfigError that tells what is right */
export function readWorkerArguments(argv: string[]): WorkerArguments {
  const { help = false, ...given } = parse(argv);
  const settings: Record<string, string> = {};
  for (const [option, setting] of Object.entries(settingOf) as [keyof typeof settingOf, string][]) {
    const value = given[option];
    if (value === undefined) continue;
    // An empty setting counts as none; an empty option is a mistake.
    if (value.trim() === '') throw new ConfigError(`--${option} is empty: give it a value, or leave it out.`);
    settings[setting] = value;
  }
  refuseWrong(settings);
  return { help, settings };
}

/** @throws ConfigError that names the options, and not the settings that they stand for */
function refuseWrong(settings: Record<string, string>): void {
  try {
    loadConfig(settings);
  } catch (error) {
    let { message } = error as Error;
    for (const [option, setting] of Object.entries(settingOf)) message = message.replace(setting, `--${option}`);
    throw new ConfigError(message);
  }
}

function parse(argv: string[]) {
  try {
    const text = { type: 'string' } as const;
    const options = { pool: text, concurrency: text, processes: text, help: { type: 'boolean' } } as const;
    return parseArgs({ args: argv, options }).values;
  } catch (error) {
    throw new ConfigError(
      `${(error as Error).message.split('. ')[0]}. \`npm run worker -- --help\` shows the options.`,
    );
  }
}
