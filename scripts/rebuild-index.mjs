/** `npm run rebuild-index [-- --dataset D]`: builds OpenSearch's indexes anew from PostgreSQL, while queries go on. */
import path from 'node:path';
import { bootstrap, foreground, main, root, withCompileCache } from './bootstrap.mjs';

await main(async () => {
  const node = await bootstrap({ dev: false });
  const program = path.join(root, 'dist/scripts/rebuild-index.js');
  return foreground(node, [program, ...process.argv.slice(2)], { env: withCompileCache() });
});
