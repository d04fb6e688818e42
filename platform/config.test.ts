import { describe, expect, it } from 'vitest';
import { ConfigError, envExample, loadConfig, settings } from './config.js';

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

  it('are all in the example file', () => {
    for (const { env, description } of Object.values(settings)) {
      expect(envExample()).toContain(`# ${env}=`);
      expect(envExample()).toContain(description);
    }
  });
});
