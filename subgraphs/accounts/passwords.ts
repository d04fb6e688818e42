/** Passwords: argon2id with the parameters that OWASP's password storage cheat sheet names (19 MiB, two passes). */
import { type Algorithm, hash, verify } from '@node-rs/argon2';
import { fail } from '../../platform/errors.js';

const parameters = {
  algorithm: 2 satisfies Algorithm.Argon2id as Algorithm,
  memoryCost: 19_456,
  timeCost: 2,
  parallelism: 1,
};

/** Verified where an address has no account, so that both cases take the same time. */
const nobody = hash(crypto.randomUUID(), parameters);

/** @throws BAD_USER_INPUT for a password under 8 or over 256 characters */
export async function hashPassword(password: string, argument: string): Promise<string> {
  if (password.length < 8 || password.length > 256) {
    fail('BAD_USER_INPUT', `"${argument}" takes 8 to 256 characters.`, { argument });
  }
  return hash(password, parameters);
}

/** One verification whether there is a hash or not. */
export async function passwordMatches(passwordHash: string | null | undefined, password: string): Promise<boolean> {
  const matches = await verify(passwordHash ?? (await nobody), password);
  return matches && passwordHash != null;
}
