import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { datasets } from '../../../datasets/index.js';
import { anchorName, indexName, indexPatterns, parseIndexName, readAlias, userIndexName } from './index-names.js';
import { templateOf } from './mapping.js';

const matches = (pattern: string, name: string) =>
  new RegExp(`^${pattern.split('*').map(RegExp.escape).join('.*')}$`).test(name);

describe('index names', () => {
  it('users of logs see the names that they know', () => {
    expect(userIndexName('logs', '2026.11')).toBe('securewatch-logs-2026.11');
    expect(userIndexName('security_events', '2026.11')).toBe('harborwatch-security-events-2026.11');
  });

  it('a dataset’s patterns match its own indexes and no other dataset’s, and no alias', () => {
    for (const { name } of datasets) {
      const patterns = indexPatterns('p-', name);
      for (const other of datasets) {
        for (const index of [indexName('p-', other.name, '2026.11', 12), anchorName('p-', other.name, 3)]) {
          expect(patterns.some((pattern) => matches(pattern, index))).toBe(other.name === name);
        }
        expect(patterns.some((pattern) => matches(pattern, readAlias('p-', other.name)))).toBe(false);
      }
    }
  });

  it('the name of an index tells month and generation, in any year', () => {
    for (const month of ['2026.11', '0001.01', '9999.12', '12026.01', '-0044.03']) {
      const name = indexName('p-', 'web_activity', month, 7);
      expect(parseIndexName('p-', 'web_activity', name)).toEqual({ month, generation: 7 });
    }
    expect(parseIndexName('', 'logs', anchorName('', 'logs', 2))).toEqual({ month: undefined, generation: 2 });
    expect(parseIndexName('', 'logs', 'securewatch-logs-2026.11')).toBeUndefined();
  });

  it('an index of another installation is none, whatever its prefix is', () => {
    for (const prefix of ['securewatch-logs-', 'p-', 'securewatch-logs-2026.11-', 'harborwatch-website-logs-']) {
      for (const { name } of datasets) {
        for (const index of [indexName(prefix, name, '2026.11', 1), anchorName(prefix, name, 1)]) {
          for (const own of datasets) expect(parseIndexName('', own.name, index)).toBeUndefined();
        }
      }
    }
  });
});

it('the committed templates are those of the declarations; `npm run generate` writes them', async () => {
  for (const dataset of datasets) {
    const committed = await readFile(`schema/opensearch/${readAlias('', dataset.name)}.json`, 'utf8');
    expect(JSON.parse(committed)).toEqual(templateOf(dataset));
  }
});
