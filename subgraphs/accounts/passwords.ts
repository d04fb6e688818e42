/** Passwords: argon2id with the parameters that OWASP's password storage cheat sheet names (19 MiB, two passes). */
import { type Algorithm, hash, verify } from '@node-rs/argon2';
import { fail } from '../../platform/errors.js';

const parameters = {
  algorithm: 2 satisfies Algorithm.Argon2id as Algorithm,
  memoryCost: 19_456,
  timeCost: 2,
  parallelism: 1,
};

const shortest = 8;
const longest = 256;

/** Verified where an address has no account, so that both cases take the same time. */
const nobody = hash(crypto.randomUUID(), parameters);

/** @throws BAD_USER_INPUT for a password under 8 or over 256 characters */
export async function hashPassword(password: string, argument: string): Promise<string> {
  if (password.length < shortest || password.length > longest) {
    fail('BAD_USER_INPUT', `"${argument}" takes ${shortest} to ${longest} characters.`, { argument });
  }
  return hash(password, parameters);
}

export type VerifyPassword = (passwordHash: string | null | undefined, password: string) => Promise<boolean>;

/** One verification whether there is a hash or not. */
export const verifyPassword: VerifyPassword = async (passwordHash, password) => {
  // One character over what any account has is enough not to match; a megabyte of them would take its time.
  const matches = await verify(passwordHash ?? (await nobody), password.slice(0, longest + 1));
  return matches && passwordHash != null;
};
