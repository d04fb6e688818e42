import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { type CollectionStatus, isTerminal, transitions } from './statuses.js';

const statuses = Object.keys(transitions) as CollectionStatus[];

test('SPEC.md shows the table of the code', async () => {
  const steps = Object.keys(transitions.CREATED) as (keyof typeof transitions.CREATED)[];
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  const cell = (from: CollectionStatus, step: (typeof steps)[number]) => {
    const to = transitions[from][step];
    return to === from ? '–' : to === 'REFUSED' ? 'refused' : to;
  };
  const table = [
    line(['status', ...steps]),
    line(['---', ...steps.map(() => '---')]),
    ...statuses.map((from) => line([`**${from}**`, ...steps.map((step) => cell(from, step))])),
  ].join('\n');
  const spec = await readFile('subgraphs/collections/SPEC.md', 'utf8');
  // The formatter lines the columns up.
  const unaligned = spec.replaceAll(/-{3,}/g, '---').replaceAll(/ +/g, ' ');
  expect(unaligned).toContain(table);
});

test('nothing leads out of a terminal status but its removal', () => {
  for (const from of statuses.filter(isTerminal)) {
    const out = Object.values(transitions[from]).filter((to) => to !== from && to !== 'REFUSED' && to !== 'REMOVED');
    expect(out).toEqual([]);
  }
});

test('every status can be removed, and one that is not terminal can be made to run', () => {
  for (const from of statuses) expect(transitions[from].remove).toBe('REMOVED');
  for (const from of statuses.filter((status) => !isTerminal(status))) {
    const started = transitions[from].start;
    expect(started === 'REFUSED' ? started : transitions[started].filled).toBe('RUNNING');
  }
});
