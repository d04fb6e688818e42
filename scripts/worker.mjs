/** `npm run worker -- --pool NAME --concurrency N --processes MIN-MAX`: processes that run query jobs. */
import path from 'node:path';
import { bootstrap, foreground, main, root, withCompileCache } from './bootstrap.mjs';

await main(async () => {
  const node = await bootstrap({ dev: false });
  const program = path.join(root, 'dist/scripts/worker.js');
  return foreground(node, [program, ...process.argv.slice(2)], { env: withCompileCache(), channel: true });
});
