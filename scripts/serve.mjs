/** `npm run serve -- jobs,audit --port N`: subgraphs in a process of their own. */
import path from 'node:path';
import { bootstrap, foreground, main, root, withCompileCache } from './bootstrap.mjs';

await main(async () => {
  const node = await bootstrap({ dev: false });
  const program = path.join(root, 'dist/subgraphs/serve.js');
  return foreground(node, [program, ...process.argv.slice(2)], { env: withCompileCache(), channel: true });
});
