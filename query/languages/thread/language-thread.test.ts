import { describe, expect, test } from 'vitest';
import { datasets as declared } from '../../../datasets/index.js';
import type { HarborwatchError } from '../../../platform/errors.js';
import type { QueryLanguage } from '../../prepared-query.js';
import { completeInThread, prepareInThread } from './language-thread.js';

const datasets = [...declared];
const prepare = (text: string, language: QueryLanguage = 'KQL') => prepareInThread({ language, text, datasets });
const refusal = async (text: string): Promise<HarborwatchError> =>
  prepare(text).then(
    () => expect.unreachable(),
    (error: HarborwatchError) => error,
  );
/** Signs without a bracket to count them by: Kusto's parser is at them for minutes. */
const pathological = `print ${'-'.repeat(300_000)}1`;

describe('every language is prepared in one thread', () => {
  test('texts of KQL and SQL come back as prepared queries', async () => {
    const kql = await prepare('SecurityEvent | where EventID == 4624 | summarize count() by Account');
    expect(kql).toMatchObject({ form: 'PLAN', language: 'KQL', datasets: ['security_events'] });
    expect(await prepare('SELECT 1 FROM security_events', 'SQL')).toMatchObject({ form: 'SQL' });
  });

  test('an error comes back with its code and its place', async () => {
    const error = await refusal('SecurityEvent\n| where EventId == 4624');
    expect(error).toMatchObject({ name: 'HarborwatchError', code: 'QUERY_UNKNOWN_COLUMN' });
    expect(error.message).toBe('There is no column "EventId". Did you mean "EventID"?');
    expect(error.details).toEqual({ argument: 'query', line: 2, column: 9 });
  });

  test('completions come from the thread', async () => {
    const text = 'SecurityEvent | where Acc';
    const completions = await completeInThread({ language: 'KQL', text, offset: text.length, datasets });
    expect(completions).toContainEqual(
      expect.objectContaining({ label: 'Account', kind: 'COLUMN', insert: 'Account', start: 22, end: 25 }),
    );
  });

  test('a text that takes too long is refused after 2 s, and the others are answered all the same', async () => {
    await prepare('print 1');
    const from = performance.now();
    const slow = refusal(pathological);
    const others = Promise.all(['SecurityEvent | count', 'print 1'].map((text) => prepare(text)));
    expect(await slow).toMatchObject({ code: 'QUERY_NOT_SUPPORTED', message: expect.stringContaining('too long') });
    const took = performance.now() - from;
    expect(took).toBeGreaterThan(1_900);
    expect(took).toBeLessThan(15_000);
    for (const query of await others) expect(query.form).toBe('PLAN');
  });
});
