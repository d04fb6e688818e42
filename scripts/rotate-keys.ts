/** Rotates the keys of access tokens in their file; processes that run take it over by themselves. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { rotateTokenKeys } from '../platform/authentication/token-keys.js';
import { ConfigError, loadConfig } from '../platform/config.js';
import { runMain } from '../platform/lifecycle.js';
import { tokenKeysFile } from '../platform/secrets.js';

const root = fileURLToPath(new URL('../..', import.meta.url)); // We run from dist/scripts/.

const usage = `Usage: npm run rotate-keys [-- options]

  --file F     the file of the keys (TOKEN_SIGNING_KEY_FILE; default token-keys.json in the data directory)
  --discard    keeps nothing of the keys before: all access tokens end now, as after a theft
  --help       show this

The new key signs from now on; the public parts of those before stay for as long as their tokens may live.`;

function readArguments() {
  try {
    return parseArgs({
      options: { file: { type: 'string' }, discard: { type: 'boolean' }, help: { type: 'boolean' } },
    }).values;
  } catch (error) {
    throw new ConfigError(`${(error as Error).message}\n\n${usage}`);
  }
}

await runMain(async () => {
  const { file: given, discard = false, help } = readArguments();
  if (help) {
    process.stdout.write(`${usage}\n`);
    return;
  }
  const envFile = path.join(root, '.env');
  if (existsSync(envFile)) process.loadEnvFile(envFile);
  const { tokenSigningKey, tokenSigningKeyFile, dataDir } = loadConfig(process.env);
  if (given === undefined && tokenSigningKey !== undefined) {
    throw new ConfigError(
      'TOKEN_SIGNING_KEY holds the key itself, and no process would notice another one in a file: move it to a file that TOKEN_SIGNING_KEY_FILE names.',
    );
  }
  // npm runs scripts in the checkout; a path of the user is meant from where the user is.
  const from = process.env.INIT_CWD ?? process.cwd();
  const file = given ?? tokenSigningKeyFile ?? tokenKeysFile(dataDir ?? path.join(root, '.harborwatch'));
  const { kid, kept } = await rotateTokenKeys(path.resolve(from, file), Date.now(), discard);
  const others = kept.length === 0 ? 'no other' : kept.join(', ');
  process.stdout.write(`The key ${kid} signs from now on; ${others} is still taken.\n`);
});
