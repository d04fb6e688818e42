/**
 * The settings as a process has them: read from the environment once at start. `.env.example` is generated from their
 * table, and a wrong value names itself and what would be right.
 */
import { readFileSync } from 'node:fs';
import { ConfigError, type Setting } from './setting-kinds.js';
import { settings } from './settings.js';

export { ConfigError } from './setting-kinds.js';

type Settings = typeof settings;
/** The settings as the program sees them. */
export type Config = { readonly [K in keyof Settings]: Settings[K]['fallback'] };

/** What one GraphQL operation may ask for. */
export interface OperationLimits {
  tokens: number;
  lines: number;
  nameLength: number;
  /** Levels of fields; introspection is exempt. */
  depth: number;
  aliases: number;
  rootFields: number;
  directives: number;
  /** Fields and fragments of a document once its fragments are spread. */
  selections: number;
  /** Pairs of selections of the same field, which validation compares. */
  repetitions: number;
  /** Levels of lists and objects in JSON. */
  nesting: number;
  /** Levels of lists and objects in the text. */
  literalNesting: number;
  cost: number;
}

/** The setting behind each limit of an operation. */
export const operationLimitSettings = {
  tokens: 'graphqlMaxTokens',
  lines: 'graphqlMaxLines',
  nameLength: 'graphqlMaxNameLength',
  depth: 'graphqlMaxDepth',
  aliases: 'graphqlMaxAliases',
  rootFields: 'graphqlMaxRootFields',
  directives: 'graphqlMaxDirectives',
  selections: 'graphqlMaxSelections',
  repetitions: 'graphqlMaxRepetitions',
  nesting: 'graphqlMaxNesting',
  literalNesting: 'graphqlMaxLiteralNesting',
  cost: 'graphqlMaxCost',
} as const satisfies Record<keyof OperationLimits, keyof Config>;

/** The limits of operations as they are set. */
export function operationLimitsOf(config: Config): OperationLimits {
  const entries = Object.entries(operationLimitSettings).map(([limit, key]) => [limit, config[key]]);
  return Object.fromEntries(entries) as OperationLimits;
}

/** Whether `<NAME>_FILE` names a file to read the setting from, once; a setting of that name has its own meaning. */
const mayStandInFile = ({ env, secret }: Setting<unknown>): boolean =>
  secret === true && !Object.values(settings).some((other) => other.env === `${env}_FILE`);

/** The text of a setting; a secret may also stand in the file that `<NAME>_FILE` names. @throws ConfigError */
function rawSetting(env: Record<string, string | undefined>, setting: Setting<unknown>): string | undefined {
  const own = env[setting.env]?.trim();
  const file = mayStandInFile(setting) ? env[`${setting.env}_FILE`]?.trim() : undefined;
  if (file === undefined || file === '') return own === '' ? undefined : own;
  if (own !== undefined && own !== '') {
    throw new ConfigError(`${setting.env} and ${setting.env}_FILE are both set: leave one of them out.`);
  }
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new ConfigError(`${setting.env}_FILE names "${file}", which cannot be read: ${(error as Error).message}.`);
  }
}

/**
 * Reads all settings from the environment. An empty variable counts as not set.
 * @throws ConfigError that lists every wrong setting with its allowed values
 */
export function loadConfig(env: Record<string, string | undefined>): Config {
  const wrong: string[] = [];
  const entries = Object.entries(settings as Record<string, Setting<unknown>>).map(([key, setting]) => {
    const raw = rawSetting(env, setting);
    if (raw === undefined) return [key, setting.fallback];
    const value = setting.parse(raw);
    if (value === undefined) {
      const shown = setting.secret ? '' : ` "${raw.slice(0, 80)}"`;
      wrong.push(`${setting.env}${shown} is not allowed: it takes ${setting.allowed}.`);
    }
    return [key, value];
  });
  if (wrong.length > 0) throw new ConfigError(wrong.join('\n'));
  return Object.fromEntries(entries) as Config;
}

/** An environment with settings laid over it: what it names as a file for one of them counts no more. */
export function withSettings<Env extends Record<string, string | undefined>>(
  env: Env,
  own: Record<string, string>,
): Env {
  const files = Object.keys(own).map((name) => [`${name}_FILE`, undefined]);
  return { ...env, ...Object.fromEntries(files), ...own };
}

/** A setting that a process started by itself cannot do without. @throws ConfigError that names it */
export function requireSetting<K extends keyof Config>(config: Pick<Config, K>, key: K): NonNullable<Config[K]> {
  const value = config[key];
  if (value == null) throw new ConfigError(`${settings[key].env} is not set: a process started by itself needs it.`);
  return value;
}

/** The text of `.env.example`. */
export function envExample(): string {
  const head = '# The settings of Harborwatch. All have working defaults; generated from platform/settings.ts.\n';
  const lines = Object.values(settings as Record<string, Setting<unknown>>).map((setting) => {
    const fallback = ['string', 'number'].includes(typeof setting.fallback) ? String(setting.fallback) : '';
    const orFile = mayStandInFile(setting) ? ` ${setting.env}_FILE names a file that holds it instead.` : '';
    return `\n# ${setting.description}\n# Takes ${setting.allowed}.${orFile}\n# ${setting.env}=${fallback}\n`;
  });
  return head + lines.join('');
}
