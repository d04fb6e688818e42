/** Who may import whom. A test file may import what it needs to set a scene. */
const ours = 'gateway|subgraphs|query|platform|datasets|client|web|bench|tests|scripts';
const testFiles = '[.](test|e2e|bench)[.]tsx?$';
const from = (path) => ({ path, pathNot: testFiles });

module.exports = {
  forbidden: [
    {
      name: 'platform-stands-alone',
      comment: 'platform is the kernel: it imports npm packages only',
      severity: 'error',
      from: from('^platform/'),
      to: { path: `^(${ours})/`, pathNot: '^platform/' },
    },
    {
      name: 'subgraphs-meet-in-the-graph',
      comment: 'subgraphs meet by entity key and through the change feed and the outbox, never by import',
      severity: 'error',
      from: from('^subgraphs/([^/]+)/'),
      to: { path: '^subgraphs/', pathNot: '^subgraphs/$1/' },
    },
    {
      name: 'subgraphs-know-no-gateway',
      comment: 'a subgraph also runs without the gateway in its process',
      severity: 'error',
      from: from('^subgraphs/'),
      to: { path: '^gateway/' },
    },
    {
      name: 'resolver-asks-service',
      comment: 'a resolver is thin: it asks its service, and never a store',
      severity: 'error',
      from: from('^subgraphs/[^/]+/resolver([.]ts$|/)'),
      to: { path: '^subgraphs/[^/]+/store([.]ts$|/)' },
    },
    {
      name: 'service-knows-no-drivers',
      comment: 'a service knows stores and a clock, not GraphQL and not drivers',
      severity: 'error',
      from: from('^subgraphs/[^/]+/service([.]ts$|/)'),
      to: { path: 'node_modules/(graphql|type-graphql|pg|ioredis|@types/pg)/' },
    },
    {
      name: 'gateway-takes-the-list',
      comment: 'of the subgraphs, the gateway imports the list alone',
      severity: 'error',
      from: from('^gateway/'),
      to: { path: '^subgraphs/', pathNot: '^subgraphs/index[.]ts$' },
    },
    {
      name: 'query-stands-on-platform-and-datasets',
      comment: 'the query engine imports platform and datasets',
      severity: 'error',
      from: from('^query/'),
      to: { path: `^(${ours})/`, pathNot: '^(query|platform|datasets)/' },
    },
    {
      name: 'client-speaks-the-api',
      comment: 'the client knows the server by its generated types only',
      severity: 'error',
      from: from('^client/'),
      to: { path: `^(${ours})/`, pathNot: '^client/' },
    },
    {
      name: 'web-speaks-through-the-client',
      comment: 'the web pages talk to the public API through the client and its generated types',
      severity: 'error',
      from: from('^web/'),
      to: { path: `^(${ours})/`, pathNot: '^(web|client)/' },
    },
    {
      name: 'no-cycles',
      comment: 'a cycle means that two files are one',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|client/generated)/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      exportsFields: ['exports'],
    },
  },
};
