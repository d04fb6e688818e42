/** The command line of `npm run serve`. */
import { parseArgs } from 'node:util';
import { ConfigError } from '../platform/config.js';
import type { Subgraph } from '../platform/subgraph.js';

const listOf = (subgraphs: readonly Subgraph[]) => subgraphs.map(({ name }) => name).join(', ');

/** What `--help` prints. */
export const serveUsage = (subgraphs: readonly Subgraph[]): string => `Usage: npm run serve -- NAME[,NAME...] --port N

Serves subgraphs at http://HOST:N/NAME, to a gateway whose SUBGRAPH_URLS names them there. The settings are those of the
gateway process: DATABASE_APP_URL, DATABASE_QUERY_URL, DATABASE_SYSTEM_URL, REDIS_URL, CURSOR_KEY, TOKEN_SIGNING_KEY, and
HOP_VERIFY_KEY, which is the gateway's HOP_SIGNING_KEY without its "d". HOST is this machine alone unless it is set.

The subgraphs: ${listOf(subgraphs)}.
`;

export interface ServeArguments {
  chosen: Subgraph[];
  /** 0 takes a free one. */
  port: number;
  help: boolean;
}

/** @throws ConfigError that tells what is right */
export function readServeArguments(argv: string[], subgraphs: readonly Subgraph[]): ServeArguments {
  const { values, positionals } = parse(argv);
  const names = positionals.flatMap((text) => text.split(',')).filter((name) => name !== '');
  const chosen = subgraphs.filter(({ name }) => names.includes(name));
  const unknown = names.filter((name) => !subgraphs.some((subgraph) => subgraph.name === name));
  const { port = '4100', help = false } = values;
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    throw new ConfigError(
      `--port "${port}" is not allowed: it takes a whole number from 0 to 65535; 0 takes a free one.`,
    );
  }
  if (!help && (unknown.length > 0 || chosen.length === 0)) {
    const wrong = unknown.length > 0 ? `There is no subgraph "${unknown.join('", "')}"` : 'No subgraph is named';
    throw new ConfigError(`${wrong}: name some of ${listOf(subgraphs)}.`);
  }
  return { chosen, port: Number(port), help };
}

function parse(argv: string[]) {
  try {
    const options = { port: { type: 'string' }, help: { type: 'boolean' } } as const;
    return parseArgs({ args: argv, allowPositionals: true, options });
  } catch (error) {
    throw new ConfigError(`${(error as Error).message.split('. ')[0]}. \`npm run serve -- --help\` shows the options.`);
  }
}
