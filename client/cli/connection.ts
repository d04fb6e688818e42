/** Where and as whom a command talks to the server. */
import { WebSocket } from 'ws';
import { type Client, createClient, HarborwatchClientError, RefreshSessionDocument } from '../index.js';
import type { OptionDeclaration } from './arguments.js';
import { Credentials, credentialsFile, type SavedLogin } from './credentials.js';
import { CommandFailure, exitStatus, usageError } from './failure.js';

const defaultUrl = 'http://localhost:4000';
/** Others wait for whoever refreshes the shared login, so it must not take long. */
const refreshTimeoutMs = 10_000;

/** The options of every command that talks to a server. */
export const urlOption: OptionDeclaration = {
  value: 'URL',
  description: `Where Harborwatch answers. Default: HARBORWATCH_URL, the saved login's server, ${defaultUrl}.`,
};
export const tokenOption: OptionDeclaration = {
  value: 'TOKEN',
  description: 'An access token, instead of the saved login. Default: HARBORWATCH_TOKEN.',
};

export interface Connection {
  url: string;
  client: Client;
  /** Whether a token was given, which then counts more than the saved login. */
  tokenGiven: boolean;
  credentials: Credentials;
  saved: SavedLogin | undefined;
}

type Environment = Record<string, string | undefined>;
/** The values of `--url` and `--token`. */
type Given = { url?: string | undefined; token?: string | undefined };

/** Works out the server and the token. Says nothing about whether anybody is signed in. */
export async function connect(given: Given, env: Environment): Promise<Connection> {
  const credentials = new Credentials(credentialsFile(env));
  const saved = await credentials.read();
  const url = normaliseUrl(given.url ?? (env.HARBORWATCH_URL || undefined) ?? saved?.url ?? defaultUrl);
  const token = given.token ?? (env.HARBORWATCH_TOKEN || undefined);
  const anonymous = createClient({ url, timeoutMs: refreshTimeoutMs });

  const refresh = async (refreshToken: string) => {
    try {
      return (await anonymous.execute(RefreshSessionDocument, { input: { refreshToken } })).refreshSession;
    } catch (error) {
      if (error instanceof HarborwatchClientError && error.code === 'UNAUTHENTICATED') return undefined;
      throw error;
    }
  };
  const savedToken = async (refused?: string) => {
    const login = await credentials.read();
    if (login?.url !== url) return undefined;
    const fresh = await credentials.accessToken(url, refused, refresh);
    if (fresh !== undefined) return fresh;
    throw new CommandFailure(
      exitStatus.unreachable,
      `Your login at ${url} has expired. Sign in again with \`harborwatch login\`.`,
    );
  };
  const client = createClient({
    url,
    webSocket: WebSocket,
    ...(token === undefined ? { getToken: savedToken } : { token }),
  });
  return { url, client, tokenGiven: token !== undefined, credentials, saved };
}

/** For commands that need somebody signed in. @throws CommandFailure where nobody is */
export async function connectSignedIn(given: Given, env: Environment): Promise<Connection> {
  const connection = await connect(given, env);
  const { url, tokenGiven, saved } = connection;
  if (tokenGiven || saved?.url === url) return connection;
  const elsewhere = saved ? ` Your saved login is for ${saved.url}.` : '';
  throw new CommandFailure(
    exitStatus.unreachable,
    `You are not signed in at ${url}.${elsewhere} Sign in with \`harborwatch login --url ${url}\`, or give --token.`,
  );
}

/** One spelling for each server, so that the saved login is found again. */
function normaliseUrl(text: string): string {
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(withScheme) ? new URL(withScheme) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '' || url.search !== '') {
    throw usageError(`"${text}" is not an address such as ${defaultUrl}.`);
  }
  return `${url.origin}${url.pathname.replace(/\/(graphql\/?)?$/, '')}`;
}
