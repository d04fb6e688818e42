/** `harborwatch login`, `logout` and `whoami`. */
import { isTokenRefused } from '../errors.js';
import { createClient, SignInDocument, SignOutDocument, ViewerDocument } from '../index.js';
import type { Command } from './command.js';
import { connect, connectSignedIn, tokenOption, urlOption } from './connection.js';
import { Credentials, credentialsFile } from './credentials.js';
import { CommandFailure, exitStatus, usageError } from './failure.js';
import { readPassword } from './password.js';
import { ask, askSecret } from './terminal/prompt.js';
import { visible } from './terminal/width.js';

export const login: Command = {
  name: 'login',
  summary: 'Sign in and keep the session for later commands.',
  positionals: [],
  options: {
    url: urlOption,
    email: { value: 'EMAIL', description: "The account's address. Default: you are asked." },
    org: { value: 'SLUG', description: 'The organisation, where the address has accounts in several.' },
    'password-file': {
      value: 'FILE',
      description: 'A file whose first line is the password; - is standard input. Default: you are asked.',
    },
  },
  notes:
    'The session is kept in $XDG_CONFIG_HOME/harborwatch/credentials.json (default ~/.config), readable by you alone.',

  async run(args, terminal) {
    const { url, credentials, saved } = await connect(args.values, terminal.surroundings.env);
    const { email: givenEmail, org, 'password-file': file } = args.values;
    if (!terminal.canAsk && (!givenEmail || !file)) {
      throw usageError('Without a terminal to ask at, login takes --email and --password-file (- for standard input).');
    }
    const remembered = saved?.url === url ? saved.email : undefined;
    const email = givenEmail ?? (await ask(terminal.surroundings, `Email for ${url}`, remembered));
    const password = file ? await readPassword(file, terminal) : await askSecret(terminal.surroundings, 'Password');
    if (email === '' || password === '') throw usageError('Signing in takes an email address and a password.');

    const input = { email, password, ...(org ? { org } : {}) };
    const { signIn: session } = await createClient({ url }).execute(SignInDocument, { input });
    const { viewer } = await createClient({ url, token: session.accessToken }).execute(ViewerDocument, {});
    await credentials.write({ url, email, ...session });
    terminal.message(
      visible(
        `Signed in at ${url} as ${viewer.user ? `${viewer.user.name} <${viewer.user.email}>` : email}, ${viewer.org.name}.`,
      ),
    );
    return exitStatus.success;
  },
};

export const logout: Command = {
  name: 'logout',
  summary: 'End the session on the server and forget the saved login.',
  positionals: [],
  options: { everywhere: { description: 'End all your other sessions there too, in browsers as well.' } },

  async run(args, terminal) {
    const credentials = new Credentials(credentialsFile(terminal.surroundings.env));
    const saved = await credentials.read();
    if (!saved) {
      await credentials.remove(); // Also what is no login any more.
      terminal.message('Nobody is signed in.');
      return exitStatus.success;
    }
    try {
      const { client } = await connect(
        { url: saved.url },
        { ...terminal.surroundings.env, HARBORWATCH_TOKEN: undefined },
      );
      const everywhere = args.flags.has('everywhere');
      await client.execute(SignOutDocument, { everywhere });
      terminal.message(`Signed out at ${saved.url}${everywhere ? ': all your sessions there have ended' : ''}.`);
    } catch (error) {
      const over = error instanceof CommandFailure || isTokenRefused(error);
      terminal.message(
        over
          ? `Forgot the login at ${saved.url}, which had ended already.`
          : `Forgot the login at ${saved.url}. The server does not answer, so the session there lives on until it expires.`,
      );
    }
    await credentials.remove();
    return exitStatus.success;
  },
};

export const whoami: Command = {
  name: 'whoami',
  summary: 'Show who is signed in, and where.',
  positionals: [],
  options: {
    output: { value: 'FORMAT', description: 'How to print.', choices: ['text', 'json'], preset: 'text' },
    url: urlOption,
    token: tokenOption,
  },

  async run(args, terminal) {
    const { url, client } = await connectSignedIn(args.values, terminal.surroundings.env);
    const { viewer } = await client.execute(ViewerDocument, {});
    if (args.values.output === 'json') {
      await terminal.data(`${JSON.stringify({ url, ...viewer }, null, 2)}\n`);
      return exitStatus.success;
    }
    const { user, org, expiresAt } = viewer;
    const rows = [
      ['user', user ? `${user.name} <${user.email}>` : 'none'],
      ['org', `${org.name} (${org.slug})`],
      ['server', url],
      ['token', `ends ${expiresAt}`],
    ] as const;
    await terminal.data(rows.map(([name, value]) => `${name.padEnd(8)}${visible(value)}\n`).join(''));
    return exitStatus.success;
  },
};
