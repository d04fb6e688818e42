/** `harborwatch org create`, and `key create`, `key list` and `key revoke`. */
import {
  type ApiKeyStateFragment,
  ApiKeysDocument,
  type CapabilityInput,
  CreateApiKeyDocument,
  CreateOrgDocument,
  RevokeApiKeyDocument,
  type Tier,
} from '../index.js';
import type { OptionDeclaration } from './arguments.js';
import type { Command } from './command.js';
import { connectSignedIn, tokenOption, urlOption } from './connection.js';
import { exitStatus, usageError } from './failure.js';
import { readPassword } from './password.js';
import { createTable } from './query/table.js';
import { parseDuration } from './terminal/units.js';
import { visible } from './terminal/width.js';

const output: OptionDeclaration = {
  value: 'FORMAT',
  description: 'How to print.',
  choices: ['text', 'json'],
  preset: 'text',
};
const exitNotes =
  'Exit status: 0 done, 1 refused, 2 wrong usage, 3 server not reachable, not signed in or not allowed.';

export const createOrg: Command = {
  name: 'org create',
  summary: 'Make an organisation with its first administrator. For platform administrators.',
  positionals: ['NAME'],
  options: {
    tier: {
      value: 'TIER',
      description: 'How much it may take.',
      choices: ['basic', 'pro', 'enterprise'],
      required: true,
    },
    'admin-email': { value: 'EMAIL', description: "The administrator's address.", required: true },
    'admin-password': {
      value: 'PASSWORD',
      description: "The administrator's password; others on this machine may see it.",
    },
    'admin-password-file': {
      value: 'FILE',
      description: 'A file whose first line is the password; - is standard input.',
    },
    slug: { value: 'SLUG', description: 'What names it in addresses and keys, for ever. Default: made from NAME.' },
    url: urlOption,
    token: tokenOption,
  },
  notes: `Prints the id of the organisation.

${exitNotes}

Example: harborwatch org create 'Harbour Bank' --tier pro --admin-email ada@bank.example --admin-password-file -`,

  async run({ positionals, values }, terminal) {
    const name = positionals[0]!;
    const { tier, slug = slugOf(name), 'admin-email': adminEmail, 'admin-password': given } = values;
    const file = values['admin-password-file'];
    if ((given === undefined) === (file === undefined)) {
      throw usageError('Give the password with --admin-password or --admin-password-file: one of the two.');
    }
    if (slug === '') throw usageError(`No slug can be made from "${name}". Give one with --slug.`);
    const { client } = await connectSignedIn(values, terminal.surroundings.env);
    const adminPassword = given ?? (await readPassword(file!, terminal));
    const input = { slug, name, tier: tier!.toUpperCase() as Tier, adminEmail: adminEmail!, adminPassword };
    const { createOrg: org } = await client.execute(CreateOrgDocument, { input });
    await terminal.data(`${org.id}\n`);
    terminal.message(visible(`Made the organisation ${org.name} (${org.slug}) with the administrator ${adminEmail}.`));
    return exitStatus.success;
  },
};

export const createKey: Command = {
  name: 'key create',
  summary: 'Make an API key, and print its secret this once.',
  positionals: ['NAME'],
  options: {
    capability: {
      value: 'CAPABILITY',
      description: 'What it may do: an action such as audit:write, or audit:write/APP or audit:write/APP/CLASS.',
      required: true,
      repeats: true,
    },
    expires: { value: 'TIME', description: 'After how long it ends, such as 90d or 12h. Default: never.' },
    signing: { description: 'Make a public key with a secret that signs requests, instead of a text to send.' },
    'service-user': { value: 'NAME', description: 'Whose it is: a new service user. Default: yours.' },
    url: urlOption,
    token: tokenOption,
  },
  notes: `Prints the key to send as "Authorization: Bearer KEY"; with --signing the public key and, below it, the secret.

${exitNotes}

Example: harborwatch key create 'nightly import' --capability events:write --expires 90d`,

  async run({ positionals, values, lists, flags }, terminal) {
    const input = {
      name: positionals[0]!,
      capabilities: lists.capability!.map(toCapability),
      kind: flags.has('signing') ? ('SIGNING' as const) : ('BEARER' as const),
      ...(values.expires === undefined ? {} : { expiresAt: momentAfter(values.expires) }),
      ...(values['service-user'] === undefined ? {} : { serviceUserName: values['service-user'] }),
    };
    const { client } = await connectSignedIn(values, terminal.surroundings.env);
    const { apiKey, key, secret } = (await client.execute(CreateApiKeyDocument, { input })).createApiKey;
    await terminal.data(input.kind === 'SIGNING' ? `${key}\n${secret}\n` : `${secret}\n`);
    const ends = apiKey.expiresAt ? `It ends ${apiKey.expiresAt}.` : 'It does not end by itself.';
    terminal.message(
      visible(
        `Made the API key "${apiKey.name}" of ${apiKey.user.email}, id ${apiKey.id}. ${ends} Keep it: it is shown this once.`,
      ),
    );
    return exitStatus.success;
  },
};

export const listKeys: Command = {
  name: 'key list',
  summary: 'Show the API keys: all for administrators, your own otherwise.',
  positionals: [],
  options: { output, url: urlOption, token: tokenOption },

  async run({ values }, terminal) {
    const { client } = await connectSignedIn(values, terminal.surroundings.env);
    const { apiKeys } = await client.execute(ApiKeysDocument, {});
    if (values.output === 'json') {
      await terminal.data(`${JSON.stringify(apiKeys, null, 2)}\n`);
      return exitStatus.success;
    }
    const names = ['id', 'name', 'user', 'kind', 'may', 'last used', 'state'];
    const table = createTable(
      names.map((name) => ({ name, type: name === 'id' ? 'GUID' : 'STRING' })),
      { width: terminal.dataColumns, emphasise: (line) => terminal.dataStyle('bold', line) },
    );
    const now = Date.now();
    await terminal.data(table(apiKeys.map((key) => rowOf(key, now))));
    return exitStatus.success;
  },
};

export const revokeKey: Command = {
  name: 'key revoke',
  summary: 'Take an API key back at once.',
  positionals: ['ID'],
  options: { url: urlOption, token: tokenOption },

  async run({ positionals, values }, terminal) {
    const { client } = await connectSignedIn(values, terminal.surroundings.env);
    const { revokeApiKey: key } = await client.execute(RevokeApiKeyDocument, { input: { id: positionals[0]! } });
    terminal.message(visible(`The API key "${key.name}" of ${key.user.email} has ended.`));
    return exitStatus.success;
  },
};

/** `Harbour Bank` as `harbour-bank`; empty where nothing of the name can stand in a slug. */
const slugOf = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+|-+$/g, '')
    .slice(0, 63);

/** `audit:read/shop/Order`; a class may have slashes in it. */
function toCapability(text: string): CapabilityInput {
  const [, action, app, className] = /^([^/]+)(?:\/([^/]+))?(?:\/(.+))?$/.exec(text) ?? [];
  if (action === undefined) {
    throw usageError(
      `--capability takes ACTION, ACTION/APP or ACTION/APP/CLASS, such as audit:write/shop, not "${text}".`,
    );
  }
  return { action, ...(app === undefined ? {} : { app }), ...(className === undefined ? {} : { class: className }) };
}

/** `90d` from now, or any other duration. */
function momentAfter(text: string): string {
  const days = /^(\d+)d$/.exec(text)?.[1];
  const ms = days === undefined ? parseDuration(text) : Number(days) * 86_400_000;
  const moment = new Date(Date.now() + (ms || Number.NaN));
  if (Number.isNaN(moment.getTime()) || moment.getUTCFullYear() > 9_999) {
    throw usageError(`--expires takes a time such as 90d or 12h, not "${text}".`);
  }
  return moment.toISOString();
}

const rowOf = (key: ApiKeyStateFragment, now: number): Record<string, string> => ({
  id: key.id,
  name: key.name,
  user: key.user.email,
  kind: key.kind,
  may: key.capabilities.map(({ action, app, class: of }) => [action, app, of].filter(Boolean).join('/')).join(' '),
  'last used': key.lastUsedAt ?? 'never',
  state: stateOf(key, now),
});

function stateOf({ revokedAt, expiresAt }: ApiKeyStateFragment, now: number): string {
  if (revokedAt) return `revoked ${revokedAt}`;
  if (!expiresAt) return 'live';
  return Date.parse(expiresAt) <= now ? `ended ${expiresAt}` : `until ${expiresAt}`;
}
