import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestPlatform, type TestPlatform } from '../../tests/setup/database.js';
import { SignInPace, waitForAccountMs, waitForAddressMs } from './sign-in-pace.js';

let scene: TestPlatform;
let waits: number[];
let pace: SignInPace;

const fails = async () => undefined;
const succeeds = async () => true as const;
const wait = async (ms: number) => void waits.push(ms);

beforeAll(async () => {
  scene = await createTestPlatform();
});
afterAll(() => scene.close());
beforeEach(() => {
  waits = [];
  pace = new SignInPace(scene.platform.redis, wait);
});

/** The wait of the next attempt; 0 for none. */
async function nextWait(account: string, remoteIp: string): Promise<number> {
  const before = waits.length;
  await pace.run({ account: [account], remoteIp }, fails);
  return waits[before] ?? 0;
}

async function waitsOf(count: number, account: (index: number) => string, remoteIp: (index: number) => string) {
  const all: number[] = [];
  for (let index = 0; index < count; index++) all.push(await nextWait(account(index), remoteIp(index)));
  return all;
}

describe('the wait before an attempt', () => {
  it('grows with the failures of the account, whatever the addresses, up to two seconds', async () => {
    const all = await waitsOf(
      9,
      () => 'a@x',
      (index) => `198.51.100.${index}`,
    );
    expect(all).toEqual([0, 0, 0, 250, 500, 1_000, 2_000, 2_000, 2_000]);
    expect(waitForAccountMs(1_000_000)).toBe(2_000);
  });

  it('grows with the failures from an address, whatever the accounts, up to five seconds', async () => {
    const all = await waitsOf(
      13,
      (index) => `b${index}@x`,
      () => '203.0.113.1',
    );
    expect(all).toEqual([...Array(10).fill(0), 100, 200, 300]);
    expect(waitForAddressMs(1_000_000)).toBe(5_000);
  });

  it('is counted for all of an IPv6 network that one host has to itself', async () => {
    const all = await waitsOf(
      11,
      (index) => `c${index}@x`,
      (index) => `2001:db8:1:2::${index + 1}`,
    );
    expect(all.at(-1)).toBe(100);
    expect(await nextWait('c@x', '2001:db8:1:3::1')).toBe(0);
  });

  it('is shared by processes, and attempts at once see each other', async () => {
    const other = new SignInPace(scene.platform.redis, wait);
    const attempt = { account: ['d@x'], remoteIp: '192.0.2.1' };
    await Promise.all([pace, other, pace, other, pace].map((one) => one.run(attempt, fails)));
    expect(waits.toSorted()).toEqual([250, 500]);
  });

  it('is over for the account after a success, and the address keeps the failures of other accounts', async () => {
    const remoteIp = '192.0.2.2';
    for (let index = 0; index < 6; index++) await nextWait('e@x', remoteIp);
    for (let index = 0; index < 8; index++) await nextWait(`other${index}@x`, remoteIp);
    await pace.run({ account: ['e@x'], remoteIp }, succeeds);
    expect(await nextWait('e@x', '192.0.2.3')).toBe(0);
    expect(
      await waitsOf(
        3,
        (index) => `new${index}@x`,
        () => remoteIp,
      ),
    ).toEqual([0, 0, 100]);
  });

  it('is counted within the process while Redis is away', async () => {
    const { redis } = scene.platform;
    const commands = { eval: () => Promise.reject(new Error('away')) };
    const alone = new SignInPace({ ...redis, commands: commands as never }, wait);
    const attempt = { account: ['f@x'], remoteIp: '192.0.2.4' };
    for (let index = 0; index < 4; index++) await alone.run(attempt, fails);
    expect(waits).toEqual([250]);
    await alone.run(attempt, succeeds);
    await alone.run(attempt, fails);
    expect(waits).toEqual([250, 500]);
  });
});

describe('a flood', () => {
  it('of one address is refused before anything is done; other addresses go on', async () => {
    const held = Promise.withResolvers<undefined>();
    const remoteIp = '192.0.2.5';
    const under = Array.from({ length: 20 }, (_, index) =>
      pace.run({ account: [`g${index}@x`], remoteIp }, () => held.promise),
    );
    let asked = 0;
    const refused = pace.run({ account: ['g@x'], remoteIp }, async () => {
      asked += 1;
      return true;
    });
    await expect(refused).rejects.toMatchObject({
      code: 'TOO_MANY_SIGN_INS',
      details: { retryAfterSeconds: 6 },
    });
    expect(asked).toBe(0);
    expect(await pace.run({ account: ['g@x'], remoteIp: '192.0.2.6' }, succeeds)).toBe(true);
    held.resolve(undefined);
    await Promise.all(under);
    expect(await pace.run({ account: ['g@x'], remoteIp }, succeeds)).toBe(true);
  });

  it('of many addresses is bounded altogether', async () => {
    const held = Promise.withResolvers<undefined>();
    const start = (index: number) =>
      pace.run({ account: ['h@x'], remoteIp: `10.0.${index >> 8}.${index & 255}` }, () => held.promise);
    const under = Array.from({ length: 1_000 }, (_, index) => start(index));
    await expect(start(1_001)).rejects.toMatchObject({ code: 'TOO_MANY_SIGN_INS' });
    held.resolve(undefined);
    await Promise.all(under);
  });

  it('leaves no place taken by attempts that end with an error', async () => {
    const attempt = { account: ['i@x'], remoteIp: '192.0.2.7' };
    for (let index = 0; index < 25; index++) {
      const broken = pace.run(attempt, () => Promise.reject(new Error('broken')));
      await expect(broken).rejects.toThrow('broken');
    }
  });
});
