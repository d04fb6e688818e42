/** `org create` and the `key` commands against a real gateway, as docs/identity.md has them. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandLine, commandLine } from '../../tests/setup/command-line.js';
import { startTestGateway, type TestGateway } from '../../tests/setup/gateway.js';

const program = `${process.execPath} --no-warnings --import ./tests/support/run-typescript.mjs client/cli/main.ts`;
const minute = 60_000;

let gateway: TestGateway;
let shell: CommandLine;
/** The commands of docs/identity.md, a line each. */
let documented: string[];
let token: string;

const run = (args: string, input?: string) => shell.run(`${program} ${args}`, input);
/** The documented command that begins so, to be run with this checkout's program. */
const command = (start: string) => {
  const line = documented.find((candidate) => candidate.startsWith(`npx harborwatch ${start}`));
  if (line === undefined) throw new Error(`docs/identity.md has no command "${start}".`);
  return line.replace('npx harborwatch ', '');
};

beforeAll(async () => {
  gateway = await startTestGateway();
  shell = await commandLine(gateway.url);
  token = await gateway.tokenFor(gateway.orgs[0]);
  const page = await readFile('docs/identity.md', 'utf8');
  documented = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, text]) => text!.trim().split('\n'));
}, 2 * minute);
afterAll(async () => {
  await shell?.dispose();
  await gateway?.close();
});

describe('the page about identity', { timeout: 3 * minute }, () => {
  it('has no command that is not run here', () => {
    const begins = ['org create', 'login', 'key create', 'key list', 'key revoke'];
    expect(documented.map((line) => line.replace('npx harborwatch ', ''))).toEqual(begins.map(command));
  });

  it('makes an organisation, signs its administrator in, and makes, lists and takes back a key', async () => {
    const org = await run(`${command('org create')} --token ${token}`);
    expect(org, org.stderr).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^[0-9a-f-]{36}\n$/),
      stderr: 'Made the organisation Harbour Bank (harbour-bank) with the administrator ada@bank.example.\n',
    });
    const taken = await run(`${command('org create')} --token ${token}`);
    expect(taken).toMatchObject({ status: 1, stdout: '', stderr: expect.stringMatching(/^CONFLICT: /) });

    const login = await run(`${command('login')} --password-file -`, 'a long one\n');
    expect(login.stderr).toContain('as ada <ada@bank.example>, Harbour Bank.');

    const made = await run(command('key create'));
    expect(made, made.stderr).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^hwk_[\w-]{43}\.[\w-]{43}\n$/),
    });
    const [, id] = /id ([0-9a-f-]{36})\. It ends 20/.exec(made.stderr) ?? [];
    expect(made.stderr).not.toContain(made.stdout.trim());
    const key = made.stdout.trim();
    const asKey = await run(`whoami --output json --token ${key}`);
    expect(JSON.parse(asKey.stdout)).toMatchObject({
      org: { slug: 'harbour-bank' },
      user: { email: 'ada@bank.example' },
    });

    const list = await run(command('key list'));
    expect(list.stdout).toContain(id);
    expect(list.stdout).toMatch(/nightly import +ada@bank\.example +BEARER +events:write audit:write\/shop/);
    expect(list.stdout).not.toContain(key);

    const revoked = await run(command('key revoke').replace('ID', id!));
    expect(revoked).toMatchObject({ status: 0, stdout: '', stderr: expect.stringContaining('has ended') });
    expect((await run(`key revoke ${id}`)).status).toBe(0);
    const [row] = JSON.parse((await run('key list --output json')).stdout);
    expect(row).toMatchObject({ id, revokedAt: expect.any(String) });
  });

  it('makes keys that sign, of service users, with the secret on stdout alone', async () => {
    const made = await run(
      `key create signer --capability events:write --signing --service-user Forwarder --token ${token}`,
    );
    const [key, secret, ...more] = made.stdout.trim().split('\n');
    expect(key).toMatch(/^hwk_[\w-]{43}$/);
    expect(secret).toMatch(/^[\w-]{43}$/);
    expect(more).toEqual([]);
    expect(made.stderr).toContain('forwarder@service.invalid');
    expect(made.stderr).toContain('It does not end by itself.');
    expect(made.stderr).not.toContain(secret);
  });

  it('says what is wrong with the arguments, and sends nothing', async () => {
    const org = 'org create Bank --tier pro --admin-email a@b.example';
    const cases: [args: string, status: number, message: string][] = [
      ['org', 2, '"org" goes with another word: org create.'],
      [
        'key delete x',
        2,
        'There is no command "key delete". "key" goes with another word: key create, key list, key revoke.',
      ],
      [org, 2, 'Give the password with --admin-password or --admin-password-file: one of the two.'],
      [`${org} --admin-password x --admin-password-file -`, 2, 'one of the two.'],
      [`org create 漢字 --tier pro --admin-email a@b.example --admin-password x`, 2, 'Give one with --slug.'],
      ['key create k', 2, '--capability is missing.'],
      ['key create k --capability /x', 2, '--capability takes ACTION, ACTION/APP or ACTION/APP/CLASS'],
      [
        'key create k --capability jobs:read --expires soon',
        2,
        '--expires takes a time such as 90d or 12h, not "soon".',
      ],
      ['key create k --capability everything', 2, 'BAD_USER_INPUT: '],
      [`${org} --admin-password short`, 2, 'BAD_USER_INPUT: "input.adminPassword"'],
      [`key revoke ${crypto.randomUUID()}`, 1, 'NOT_FOUND: '],
    ];
    for (const [args, status, message] of cases) {
      const result = await run(`${args} --token ${token}`, '');
      expect([args, result.status, result.stdout]).toEqual([args, status, '']);
      expect(result.stderr).toContain(message);
    }
  });

  it('tells of each command with --help', async () => {
    const help = await run('org create --help');
    expect(help).toMatchObject({ status: 0, stderr: '' });
    expect(help.stdout).toContain('Usage: harborwatch org create NAME --tier TIER --admin-email EMAIL [options]');
    expect((await run('help key create')).stdout).toContain('May be given several times.');
    expect((await run('--help')).stdout).toMatch(/key revoke ID +Take an API key back at once\./);
  });
});
