/**
 * Every field of the composed graph, and every other way in, asked for by somebody who must not see what is behind it.
 * Nothing here names a field: what the schema has is what is probed.
 */
import { isRequiredArgument } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { actionsOf, proberOf, type RefusedCaller, refusedCallers, without } from './callers.js';
import { type Asked, inParallel } from './doors.js';
import { entityProbes } from './entities.js';
import { faultOfRefusal, neutral, outline } from './judge.js';
import { Report } from './report.js';
import { hashesOf } from './scene.js';
import { type Arguments, nameOf, operationOf, type Slot, slotsOf, type Target, withValue } from './targets.js';
import { twinOf, Unfillable } from './values.js';
import { openWorld, type World } from './world.js';

const width = 12;
/** How many of the other organisation's values are tried in one place. */
const foreignValues = 1;

let world: World;
let refused: RefusedCaller[];
const report = new Report();
/** The arguments that a target needs, of the stranger's own. */
const ownArguments = new Map<Target, Arguments>();

beforeAll(async () => {
  world = await openWorld();
  refused = await refusedCallers(world);
  for (const target of world.targets) ownArguments.set(target, world.values.required(target, world.stranger.knowledge));
});
afterAll(async () => {
  await world?.gateway.close();
  await world?.receiver.close();
});

/** An operation's answer at the door that its kind goes through. */
async function ask(target: Target, token: string | undefined, asked: Asked) {
  if (target.kind !== 'subscription') return world.doors.post(token, asked);
  const socket = await world.doors.socket(token);
  try {
    if (socket.closed) {
      // Told as the answer to a request would be, so that all columns are judged alike.
      const [code, message] = socket.closed.reason.split(': ');
      return {
        status: socket.closed.code,
        headers: '',
        body: JSON.stringify({ errors: [{ message, extensions: { code } }] }),
      };
    }
    return { status: 0, headers: '', body: await socket.ask(asked) };
  } finally {
    socket.close();
  }
}

/** An answer that is no matter of the moment: a part that is too busy says so, and is asked again. */
async function steadily(askOnce: () => ReturnType<typeof ask>): ReturnType<typeof ask> {
  for (let tries = 1; ; tries += 1) {
    const answer = await askOnce();
    if (tries === 5 || !answer.body.includes('"SERVICE_UNAVAILABLE"')) return answer;
  }
}

const own = (target: Target): Asked => operationOf(target, ownArguments.get(target)!);
const isPublic = ({ steps }: Target): boolean => world.rules.allows(steps.slice(0, 1), undefined);

describe('the matrix', { timeout: 900_000 }, () => {
  test('every required argument can be filled', () => {
    const unfillable = world.targets.flatMap((target) => {
      try {
        ownArguments.set(target, world.values.required(target, world.stranger.knowledge));
        return [];
      } catch (error) {
        if (error instanceof Unfillable) return [error.message];
        throw error;
      }
    });
    expect([...new Set(unfillable)]).toEqual([]);
  });

  test('a leak would be seen: what the owner itself is answered is full of what counts as one', () => {
    const { ownerAnswers, leakIn } = world;
    expect(ownerAnswers.filter((answer) => leakIn(answer) === undefined).length).toBeLessThan(ownerAnswers.length / 2);
  });

  test('no field answers who has no token, one that has ended, or not the capability', async () => {
    const holder = actionsOf(world.stranger.identity);
    const tokens = new Map<string, Promise<string>>();
    const tokenWithout = (taken: ReadonlySet<string>) => {
      const key = [...taken].sort().join();
      const token = tokens.get(key) ?? world.gateway.tokenFor(without(world.stranger.identity, taken));
      tokens.set(key, token);
      return token;
    };
    const nothing = await world.gateway.tokenFor({ ...world.stranger.identity, capabilities: [] });
    await inParallel(world.targets, width, async (target) => {
      const { rules } = world;
      const { steps } = target;
      const probe = async (column: string, token: string | undefined, code: string) => {
        const answer = await ask(target, token, own(target));
        const fault = faultOfRefusal(answer, target, code) ?? leakIn(answer, own(target));
        report.take(column, nameOf(target), fault);
      };
      for (const caller of refused) await probe(caller.name, caller.token, caller.code);
      if (!rules.allows(steps, undefined)) await probe('no token', undefined, 'UNAUTHENTICATED');
      if (!rules.allows(steps, new Set())) await probe('no capability', nothing, 'FORBIDDEN');
      const needed = rules.actionsOf(steps);
      const rest = new Set([...holder].filter((action) => !needed.has(action)));
      if (needed.size > 0 && !rules.allows(steps, rest)) {
        await probe('every capability but the needed', await tokenWithout(needed), 'FORBIDDEN');
      }
    });
  });

  test('what an organisation reads of its own has nothing of another', async () => {
    const token = await world.gateway.tokenFor(world.stranger.identity);
    const queries = world.targets.filter(({ kind }) => kind === 'query');
    await inParallel(queries, width, async (target) => {
      const answer = await ask(target, token, own(target));
      report.take('own data', nameOf(target), leakIn(answer, undefined));
    });
  });

  test('another organisation’s ids, names and cursors are answered as those that never existed', async () => {
    const token = await world.gateway.tokenFor(world.stranger.identity);
    const reading = world.targets.filter(({ kind }) => kind !== 'mutation');
    await inParallel(reading, width, (target) => foreignProbes(target, token));
  });

  test('entities are resolved for none but their organisation, and through none but the gateway', async () => {
    await entityProbes(world, report);
  });

  test('the other doors are as closed', async () => {
    await otherDoors();
  });

  test('nothing that another organisation’s ids are given to changes a row of it', async () => {
    const mutations = world.targets.filter((target) => target.kind === 'mutation' && !isPublic(target));
    await mutate(mutations);
    const { owner, gateway, hashes } = world;
    expect(await hashesOf(gateway, owner.identity.orgId)).toEqual(hashes);
  });

  test('what needs no token tells nothing of any organisation', async () => {
    await mutate(world.targets.filter((target) => target.kind === 'mutation' && isPublic(target)));
  });

  test('neither the logs nor the streams that were open all the while have anything of another organisation', () => {
    const lines = [...world.logs, ...world.streams.messages];
    expect(world.streams.messages.length).toBeGreaterThan(0);
    expect(lines.flatMap((line) => world.leakIn(line, [...asked]) ?? [])).toEqual([]);
  });

  test('there were enough probes, and no leak', () => {
    process.stdout.write(`${report.summary()}\n`);
    expect([...report.faults].slice(0, 40)).toEqual([]);
    expect(world.rules.areDeclared).toBe(true);
    expect(report.probes).toBeGreaterThanOrEqual(1_000);
  });
});

/** Everything of the owner's that the stranger sent; what it stored with it is its own from then on. */
const asked = new Set<unknown>();

function leakIn({ headers, body }: { headers: string; body: string }, sent: unknown): string | undefined {
  return world.leakIn(`${headers}\n${body}`, [sent, ...asked]);
}

/** Asks with the owner's value in each place that takes one, and with a value that never existed. */
async function foreignProbes(target: Target, token: string): Promise<void> {
  for (const slot of slotsOf(target)) {
    if (target.steps.length > slot.step + 2 && !isToldByEveryField(target, slot)) continue;
    const { owner, stranger, values } = world;
    const common = new Set(values.known(slot, target, stranger.knowledge).map((value) => JSON.stringify(value)));
    const foreign = values.known(slot, target, owner.knowledge).filter((value) => !common.has(JSON.stringify(value)));
    const probe = `${nameOf(target)} (${slot.path.join('.')})`;
    if (foreign.length === 0 && needsId(slot))
      report.take('another’s id', probe, 'nothing of the scene is known for it');
    for (const value of foreign.slice(0, foreignValues)) await compare(target, slot, value, token, probe);
  }
}

/**
 * Whether what is answered to a value shows in every field below, as an id does. What a filter leaves of a list shows in the
 * list itself, and so does what became of a name that a mutation stores.
 */
function isToldByEveryField({ kind, steps }: Target, slot: Slot): boolean {
  const argument = steps[slot.step]!.field.args.find(({ name }) => name === slot.path[0])!;
  const isRequired = isRequiredArgument(argument) && /!$/.test(String(slot.input.type));
  return isRequired && (kind !== 'mutation' || needsId(slot));
}

const needsId = ({ input }: Slot): boolean => /\bID\b/.test(String(input.type));

async function compare(target: Target, slot: Slot, value: unknown, token: string, probe: string): Promise<void> {
  const base = ownArguments.get(target)!;
  const twin = twinOf(value);
  const askFor = (one: unknown) => steadily(() => ask(target, token, operationOf(target, withValue(base, slot, one))));
  if (target.kind === 'mutation') asked.add(value);
  const theirs = await askFor(value);
  const nobodys = await askFor(twin);
  const [first, second] = [neutral(theirs.body, value), neutral(nobodys.body, twin)];
  const isSame =
    theirs.status === nobodys.status &&
    theirs.headers === nobodys.headers &&
    (first === second || (target.kind === 'mutation' && outline(first) === outline(second)));
  const difference = isSame
    ? undefined
    : `differs from what never existed: ${first.slice(0, 300)} / ${second.slice(0, 300)}`;
  report.take('another’s id', probe, difference ?? leakIn(theirs, value));
}

/** Mutations with their own values and with another's; each root field as a user of its own. */
async function mutate(targets: readonly Target[]): Promise<void> {
  const byRoot = Map.groupBy(targets, ({ steps }) => steps[0]!.field.name);
  await inParallel([...byRoot], 4, async ([root, below]) => {
    const token = await proberOf(world, root);
    for (const target of below) await foreignProbes(target, token);
    for (const target of below) {
      const answer = await ask(target, token, own(target));
      report.take('own data', nameOf(target), leakIn(answer, own(target)));
    }
  });
}

async function otherDoors(): Promise<void> {
  const queries = world.targets.filter(({ steps, kind }) => steps.length === 2 && kind === 'query');
  const roots = [...Map.groupBy(queries, ({ steps }) => steps[0]!.field.name).values()].map(([first]) => first!);
  const token = await world.gateway.tokenFor(world.stranger.identity);
  const callers = [{ name: 'no token', token: undefined, code: 'UNAUTHENTICATED' }, ...refused];
  const socket = await world.doors.socket(token);
  await inParallel(roots, width, async (target) => {
    for (const caller of callers) {
      for (const door of ['get', 'events'] as const) {
        const answer = await world.doors[door](caller.token, own(target));
        report.take(`${caller.name}, ${door}`, nameOf(target), faultOfRefusal(answer, target, caller.code));
      }
    }
    for (const answer of [
      await world.doors.get(token, own(target)),
      await world.doors.events(token, own(target)),
      { headers: '', body: await socket.ask(own(target)) },
    ]) {
      report.take('own data, other doors', nameOf(target), leakIn(answer, undefined));
    }
  });
  socket.close();
  await ingestDoor(token);
  await downloadDoor(token);
}

/** `POST /ingest/{dataset}` */
async function ingestDoor(token: string): Promise<void> {
  const { doors, gateway, owner, stranger } = world;
  const send = (dataset: string, by: string | undefined, batchId = '') =>
    doors.fetch(`/ingest/${dataset}?batchId=${batchId}`, by, { method: 'POST', body: '{}\n' });
  const nothing = await gateway.tokenFor({ ...stranger.identity, capabilities: [] });
  const callers = [
    { name: 'no token', token: undefined, code: 'UNAUTHENTICATED' },
    { name: 'no capability', token: nothing, code: 'FORBIDDEN' },
    ...refused,
  ];
  for (const dataset of world.stranger.knowledge.of('Dataset', 'name')) {
    for (const caller of callers) {
      const { body } = await send(String(dataset), caller.token);
      const isRefused = body.includes(`"${caller.code}"`) && !body.includes('accepted');
      report.take(`${caller.name}, ingest`, String(dataset), isRefused ? undefined : body);
    }
    for (const batchId of owner.knowledge.of('IngestReceipt', 'batchId').slice(0, 5)) {
      const twin = String(twinOf(batchId));
      const [theirs, nobodys] = [
        await send(String(dataset), token, String(batchId)),
        await send(String(dataset), token, twin),
      ];
      const isSame = neutral(theirs.body, batchId) === neutral(nobodys.body, twin);
      report.take('another’s id, ingest', String(dataset), isSame ? undefined : `${theirs.body} / ${nobodys.body}`);
    }
  }
}

/** `GET /jobs/{id}/results` */
async function downloadDoor(token: string): Promise<void> {
  const { doors, gateway, owner, stranger } = world;
  const download = (id: unknown, by: string | undefined, query = 'format=ndjson') =>
    doors.fetch(`/jobs/${id}/results?${query}`, by, { method: 'GET' });
  const nothing = await gateway.tokenFor({ ...stranger.identity, capabilities: [] });
  const callers = [
    { name: 'no token', token: undefined, code: 'UNAUTHENTICATED' },
    { name: 'no capability', token: nothing, code: 'FORBIDDEN' },
    ...refused,
  ];
  for (const id of owner.knowledge.of('Job', 'id').slice(0, 5)) {
    const twin = twinOf(id);
    for (const caller of callers) {
      const { body } = await download(id, caller.token);
      report.take(`${caller.name}, download`, String(id), body.includes(`"${caller.code}"`) ? undefined : body);
    }
    for (const query of ['format=ndjson', 'format=csv&partial=true', 'format=json&offset=1&limit=1']) {
      const [theirs, nobodys] = [await download(id, token, query), await download(twin, token, query)];
      const isSame =
        theirs.status === nobodys.status &&
        theirs.headers === nobodys.headers &&
        neutral(theirs.body, id) === neutral(nobodys.body, twin);
      report.take('another’s id, download', query, isSame ? undefined : `${theirs.body} / ${nobodys.body}`);
    }
  }
}
