/** What guessing passwords gets: nothing to tell accounts by, and nobody locked out. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { HarborwatchError } from '../../platform/errors.js';
import { createTestPlatform, type TestPlatform } from '../../tests/setup/database.js';
import { verifyPassword } from './passwords.js';
import { SessionsService } from './service/sessions.js';
import { UsersService } from './service/users.js';
import { SignInPace } from './sign-in-pace.js';

const guesses = process.env.HARBORWATCH_DEEP ? 10_000 : 300;
const owners = Array.from({ length: 10 }, (_, index) => ({
  email: `owner${index}@one.example`,
  password: `right one ${index}`,
}));

let scene: TestPlatform;
let sessions: SessionsService;
let verifications = 0;
const waits: number[] = [];

beforeAll(async () => {
  scene = await createTestPlatform();
  const { postgres, redis, tokens, clock, config } = scene.platform;
  sessions = new SessionsService({
    postgres,
    tokens,
    clock,
    config,
    pace: new SignInPace(redis, async (ms) => void waits.push(ms)),
    verifyPassword: (passwordHash, password) => {
      verifications += 1;
      return verifyPassword(passwordHash, password);
    },
  });
  const users = new UsersService(postgres);
  const caller = { identity: scene.orgs[0], remoteIp: null };
  for (const owner of owners) await users.create(caller, { ...owner, name: 'Owner', roles: ['VIEWER'] });
});
afterAll(() => scene.close());

const guess = async (email: string, remoteIp: string, org?: string) => {
  const before = performance.now();
  const answer = await sessions.signIn({ email, password: 'a wrong guess', org }, remoteIp).then(
    () => 'signed in',
    (error: HarborwatchError) => JSON.stringify([error.code, error.message, error.details]),
  );
  return { answer, ms: performance.now() - before };
};

it(`${guesses} guesses find out nothing, cost one verification each, and lock no owner out`, {
  timeout: 1_200_000,
}, async () => {
  const answers = new Set<string>();
  const times: Record<'there' | 'missing', number[]> = { there: [], missing: [] };
  let made = 0;
  // From a hundred addresses, for accounts that exist and that do not, a few at a time.
  const guesser = async () => {
    while (made < guesses) {
      const index = made++;
      const kind = index % 2 === 0 ? 'there' : 'missing';
      const email = kind === 'there' ? owners[index % 10]!.email : `missing${index % 10}@one.example`;
      const { answer, ms } = await guess(
        email,
        `198.51.100.${index % 100}`,
        ['one', 'elsewhere', undefined][index % 3],
      );
      answers.add(answer);
      times[kind].push(ms);
    }
  };
  await Promise.all(Array.from({ length: 4 }, guesser));

  expect([...answers]).toEqual([
    JSON.stringify([
      'INVALID_CREDENTIALS',
      'Email and password do not match an account. An address with accounts in several organisations takes "org" as well.',
      { argument: 'input' },
    ]),
  ]);
  expect(verifications).toBe(guesses);
  const quantile = (all: number[], share: number) => all.toSorted((a, b) => a - b)[Math.floor(all.length * share)]!;
  const figures = (all: number[]) => [0.1, 0.5, 0.9].map((share) => quantile(all, share).toFixed(1)).join(' / ');
  console.log(`ms at 10 / 50 / 90 %: account ${figures(times.there)}, no account ${figures(times.missing)}`);
  // The two overlap: the middle of either lies among the other's.
  expect(quantile(times.there, 0.5)).toBeLessThan(quantile(times.missing, 0.95));
  expect(quantile(times.missing, 0.5)).toBeLessThan(quantile(times.there, 0.95));

  for (const [index, owner] of owners.entries()) {
    const before = waits.length;
    const input = { ...owner, org: 'one' };
    expect((await sessions.signIn(input, '192.0.2.1')).accessToken).toBeTruthy();
    expect(waits.slice(before).every((ms) => ms <= 2_000)).toBe(true);
    expect((await sessions.signIn(input, `198.51.100.${index}`)).accessToken).toBeTruthy();
    expect(waits.slice(before).every((ms) => ms <= 5_000)).toBe(true);
  }
  expect(verifications).toBe(guesses + 2 * owners.length);
});

it('every attempt is an entry: in the account’s organisation, the named one, or the oldest', async () => {
  const entries = async (who: string) =>
    scene.database.asSuperuser<any>(
      `SELECT o.slug AS org, payload->>'outcome' AS outcome, payload->>'error' AS error, payload->>'priority' AS priority,
              payload->>'instanceId' IS NOT NULL AS known, payload->>'remoteIp' AS ip
         FROM app.outbox b JOIN app.orgs o ON o.id = b.org_id WHERE type = 'audit.entry' AND payload->>'who' = $1 ORDER BY seq`,
      [who],
    );
  const missing = {
    outcome: 'FAILURE',
    error: 'No account has this address.',
    priority: 'WARN',
    known: false,
    ip: '192.0.2.9',
  };
  await guess('Stranger@x.example', '192.0.2.9', 'two');
  await guess('stranger@x.example ', '192.0.2.9', 'nowhere');
  await guess('stranger@x.example', '192.0.2.9');
  const [{ slug: oldest }] = await scene.database.asSuperuser<any>('SELECT slug FROM app.orgs ORDER BY id LIMIT 1');
  expect(await entries('stranger@x.example')).toEqual([
    { org: 'two', ...missing },
    { org: oldest, ...missing },
    { org: oldest, ...missing },
  ]);
  const { email } = owners[0]!;
  const before = (await entries(email)).length;
  await guess(email, '192.0.2.9');
  expect((await entries(email)).slice(before)).toEqual([
    { ...missing, org: 'one', error: 'The password does not match.', known: true },
  ]);
});

it('a disabled user fails like a wrong password, and the entry says why', async () => {
  const users = new UsersService(scene.platform.postgres);
  const caller = { identity: scene.orgs[0], remoteIp: null };
  const owner = owners[1]!;
  const rows = await scene.database.asSuperuser<any>('SELECT id FROM app.users WHERE email = $1', [owner.email]);
  await users.update(caller, { id: rows[0].id, disabled: true });
  const refused = await sessions.signIn(owner, '192.0.2.9').catch((error: HarborwatchError) => error);
  const wrong = await sessions
    .signIn({ ...owner, password: 'x' }, '192.0.2.9')
    .catch((error: HarborwatchError) => error);
  expect(refused).toEqual(wrong);
  expect(refused).toBeInstanceOf(HarborwatchError);
  const [entry] = await scene.database.asSuperuser<any>(
    `SELECT payload->>'error' AS error FROM app.outbox WHERE payload->>'who' = $1 AND payload->>'op' = 'sign-in'
      ORDER BY seq DESC OFFSET 1 LIMIT 1`,
    [owner.email],
  );
  expect(entry).toEqual({ error: 'The user is disabled.' });
});

it('of two organisations’ accounts the named one is signed in to, else the oldest that can be', async () => {
  const users = new UsersService(scene.platform.postgres);
  const [one, two] = scene.orgs;
  const input = { email: 'both@x.example', name: 'Both', roles: ['VIEWER' as const] };
  const first = await users.create({ identity: one, remoteIp: null }, { ...input, password: 'password of one' });
  await users.create({ identity: two, remoteIp: null }, { ...input, password: 'password of two' });
  const orgOf = async (password: string, org?: string) => {
    const session = await sessions.signIn({ email: input.email, password, org }, '192.0.2.9').catch(() => undefined);
    return session && (await scene.platform.tokens.verify(session.accessToken)).orgId;
  };
  expect(await orgOf('password of one')).toBe(one.orgId);
  expect(await orgOf('password of two')).toBeUndefined();
  expect(await orgOf('password of two', 'two')).toBe(two.orgId);
  await users.update({ identity: one, remoteIp: null }, { id: first.id, disabled: true });
  expect(await orgOf('password of two')).toBe(two.orgId);
  // Nor does one stand in the way that nobody can sign in to, such as that of an outside issuer's user.
  await scene.database.asSuperuser('UPDATE app.users SET disabled_at = NULL, password_hash = NULL WHERE id = $1', [
    first.id,
  ]);
  expect(await orgOf('password of two')).toBe(two.orgId);
});

it('a password longer than any, and an address that cannot be stored, are wrong like others', async () => {
  const owner = owners[2]!;
  const refusal = (await guess(owner.email, '192.0.2.10')).answer;
  const long = await sessions
    .signIn({ ...owner, password: owner.password + 'x'.repeat(1_000_000) }, '192.0.2.10')
    .catch((error: HarborwatchError) => JSON.stringify([error.code, error.message, error.details]));
  expect(long).toBe(refusal);
  for (const email of ['no\u0000body@x', '\ud800@x', '', `${'x'.repeat(100_000)}@x`]) {
    expect((await guess(email, '192.0.2.11', 'o\u0000'.repeat(100))).answer).toBe(refusal);
  }
});
