/**
 * Hive Gateway with its native runtime, which plans with its router's planner. BENCH_SHARE tells what equal queries in
 * flight share: `all` for those of clients and those to subgraphs, `subgraphs` for the latter alone, which is how it
 * comes, or `none`.
 */
import { defineConfig } from '@graphql-hive/gateway';
import { unifiedGraphHandler } from '@graphql-hive/router-runtime';

const share = process.env.BENCH_SHARE;

export const gatewayConfig = defineConfig({
  unifiedGraphHandler,
  inboundInflightRequestDeduplication: share === 'all',
  transportEntries: { '*.http': { options: { deduplicateInflightRequests: share !== 'none' } } },
  logging: 'error',
  landingPage: false,
  graphiql: false,
});

// Whoever started this is gone.
process.once('disconnect', () => process.exit());
