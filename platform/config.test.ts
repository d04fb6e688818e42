import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError, envExample, loadConfig, withSettings } from './config.js';
import { settings } from './settings.js';

describe('the settings', () => {
  it('all have working defaults', () => {
    expect(loadConfig({})).toMatchObject({ port: 4000, logLevel: 'info', introspection: 'on' });
  });

  it('take an empty variable as not set', () => {
    expect(loadConfig({ PORT: ' ' }).port).toBe(4000);
  });

  it('name every wrong one with what it takes, and never show a secret', () => {
    const load = () => loadConfig({ PORT: '70000', LOG_LEVEL: 'loud', DATABASE_URL: 'mysql://user:hunter2@db' });
    expect(load).toThrow(ConfigError);
    expect(load).toThrow(/PORT "70000" is not allowed: it takes a whole number from 1 to 65535/);
    expect(load).toThrow(/LOG_LEVEL "loud" is not allowed: it takes one of trace, debug/);
    expect(load).toThrow(/DATABASE_URL is not allowed: it takes a URL that starts with postgres:/);
    expect(load).not.toThrow(/hunter2/);
  });

  it('take secrets from files, and nothing else; a file that is missing or one too many is named', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'harborwatch-config-'));
    const file = join(directory, 'cursor-key');
    try {
      await writeFile(file, `${'ab'.repeat(32)}\n`);
      expect(loadConfig({ CURSOR_KEY_FILE: file }).cursorKey).toBe('ab'.repeat(32));
      expect(loadConfig({ LOG_LEVEL_FILE: file }).logLevel).toBe('info');
      expect(() => loadConfig({ CURSOR_KEY_FILE: file, CURSOR_KEY: 'x' })).toThrow(/both set/);
      expect(() => loadConfig({ CURSOR_KEY_FILE: `${file}.gone` })).toThrow(
        /CURSOR_KEY_FILE names ".*gone", which cannot/,
      );
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('take the place of files that an environment names for them, when they are laid over it', () => {
    const env: NodeJS.ProcessEnv = { REDIS_URL_FILE: '/gone', CURSOR_KEY: 'ab'.repeat(32), PORT: '5000' };
    const own = { REDIS_URL: 'redis://127.0.0.1:6379', CURSOR_KEY: 'cd'.repeat(32) };
    expect(loadConfig(withSettings(env, own))).toMatchObject({
      port: 5000,
      redisUrl: own.REDIS_URL,
      cursorKey: own.CURSOR_KEY,
    });
  });

  it('open debug logs to addresses, each to one organisation', () => {
    const opened = loadConfig({
      DEBUG_LOG_SOURCES: 'acme=192.0.2.7, acme=10.0.0.0/8/web%2Cshop/a ,other-org=2001:db8::/32',
    }).debugLogSources;
    expect(opened.map(({ orgSlug, range, app }) => [orgSlug, range, app])).toEqual([
      ['acme', '192.0.2.7/32', undefined],
      ['acme', '10.0.0.0/8', 'web,shop/a'],
      ['other-org', '2001:db8::/32', undefined],
    ]);
    expect(loadConfig({}).debugLogSources).toEqual([]);
    for (const wrong of [
      'acme',
      'acme=',
      '192.0.2.7',
      'Acme=192.0.2.7',
      'acme=192.0.2',
      'acme=192.0.2.0/33',
      'acme=2001:db8::/129',
      'acme=192.0.2.7/shop',
      'acme=192.0.2.0/24/%',
      'acme=192.0.2.7,',
      'acme=10.0.0.0/8,other=10.1.0.0/16',
      'acme=10.1.0.0/16,other=10.2.3.4/8',
    ]) {
      expect(() => loadConfig({ DEBUG_LOG_SOURCES: wrong }), wrong).toThrow(/DEBUG_LOG_SOURCES .*ORG=ADDRESS/);
    }
  });

  it('name subgraphs with their addresses, each once', () => {
    const urls = loadConfig({
      SUBGRAPH_URLS: 'jobs=http://127.0.0.1:4101/jobs, audit=https://b/audit?x=1',
    }).subgraphUrls;
    expect([...urls]).toEqual([
      ['jobs', 'http://127.0.0.1:4101/jobs'],
      ['audit', 'https://b/audit?x=1'],
    ]);
    expect(loadConfig({}).subgraphUrls.size).toBe(0);
    for (const wrong of [
      'jobs',
      'jobs=',
      'jobs=ftp://a',
      'jobs=//a',
      'jobs=http://a,jobs=http://b',
      'jobs=http://a,',
      '=http://a',
    ]) {
      expect(() => loadConfig({ SUBGRAPH_URLS: wrong }), wrong).toThrow(/SUBGRAPH_URLS .*pairs like jobs=http/);
    }
  });

  it('take keys for hops only where they are Ed25519 keys, and never show them', () => {
    const wrong = () => loadConfig({ HOP_SIGNING_KEY: '{"crv":"Ed25519","x":"public"}', HOP_VERIFY_KEY: 'hidden' });
    expect(wrong).toThrow(/HOP_SIGNING_KEY is not allowed: it takes a private Ed25519 JWK/);
    expect(wrong).toThrow(/HOP_VERIFY_KEY is not allowed: it takes a public Ed25519 JWK/);
    expect(wrong).not.toThrow(/hidden|"x"/);
  });

  it('are all in the example file', () => {
    for (const { env, description } of Object.values(settings)) {
      expect(envExample()).toContain(`# ${env}=`);
      expect(envExample()).toContain(description);
    }
  });
});
