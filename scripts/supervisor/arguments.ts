/** The command line of `npm start`, laid over the settings of the environment. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { type Config, loadConfig } from '../../platform/config.js';
import { StartError } from '../../platform/embedded/start-error.js';

/** What `--help` prints. */
export const usage = `Usage: npm start -- [options]

  --port N        the port of GraphQL, GraphiQL and ingest (PORT; default 4000)
  --data-dir DIR  where the data lives (HARBORWATCH_DATA_DIR; default .harborwatch in the checkout)
  --no-demo       make no demo organisation on the first start
  --help          show this

All settings are in .env.example; those in a file .env of the checkout are read.`;

/** What a start is asked to do. */
export interface Options {
  help: boolean;
  /** Make the demo organisation on the first start. */
  demo: boolean;
  /** Absolute. */
  dataDir: string;
  config: Config;
}

/** Reads options and settings; an option wins over its setting. Throws StartError or ConfigError. */
export function readArguments(argv: string[], environment: NodeJS.ProcessEnv, root: string): Options {
  const { values } = parse(argv);
  const envFile = path.join(root, '.env');
  if (environment === process.env && existsSync(envFile)) process.loadEnvFile(envFile);
  if (values.port !== undefined && !/^[1-9]\d{0,4}$/.test(values.port)) {
    throw new StartError(`--port "${values.port}" is not allowed: it takes a whole number from 1 to 65535.`);
  }
  const config = loadConfig({ ...environment, ...(values.port === undefined ? {} : { PORT: values.port }) });
  // npm runs scripts in the checkout; a path of the user is meant from where the user is.
  const from = environment.npm_lifecycle_event === 'start' ? (environment.INIT_CWD ?? process.cwd()) : process.cwd();
  const wanted = values['data-dir'] ?? config.dataDir;
  return {
    help: values.help ?? false,
    demo: values.demo ?? true,
    dataDir: wanted ? path.resolve(from, wanted) : path.join(root, '.harborwatch'),
    config,
  };
}

function parse(argv: string[]) {
  try {
    return parseArgs({
      args: argv,
      allowNegative: true,
      options: {
        port: { type: 'string' },
        'data-dir': { type: 'string' },
        demo: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    });
  } catch (error) {
    const [message] = (error as Error).message.split(/\.\s/);
    throw new StartError(`${message}. \`npm start -- --help\` shows the options.`);
  }
}
