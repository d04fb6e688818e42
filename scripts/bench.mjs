/** `npm run bench -- NAME [--json]`: one benchmark; without a name, the list of them. */
import path from 'node:path';
import { bootstrap, foreground, main, root, withNode } from './bootstrap.mjs';

await main(async () => {
  const node = await bootstrap({ dev: true });
  const script = path.join(root, 'dist/bench/main.js');
  return foreground(node, [script, ...process.argv.slice(2)], { env: withNode(node) });
});
