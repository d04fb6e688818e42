import { createRequire } from 'node:module';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Two copies of graphql (its ES and CommonJS builds) refuse each other's schemas: everyone gets the CommonJS one.
  resolve: { alias: [{ find: /^graphql$/, replacement: createRequire(import.meta.url).resolve('graphql/index.js') }] },
  test: {
    include: ['**/*.test.ts', 'tests/e2e/**/*.e2e.ts'],
    exclude: ['**/node_modules/**', 'dist/**', '.harborwatch/**', 'bench/rivals/**'],
    globalSetup: ['tests/setup/servers.ts'],
    pool: 'forks', // Processes: tests change the environment and end what they started by signals.
    // What vitest does not load itself runs as TypeScript too: the threads that a test starts inherit this.
    execArgv: ['--import', new URL('./tests/support/run-typescript.mjs', import.meta.url).href],
    maxWorkers: 2,
    testTimeout: 120_000, // Bounds, not expectations: a shared machine may stand still for a while. An end-to-end test names its own.
    hookTimeout: 240_000,
    teardownTimeout: 60_000,
  },
});
