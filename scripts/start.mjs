/** `npm start`: everything from a fresh checkout to a Harborwatch that is ready. */
import path from 'node:path';
import { bootstrap, foreground, main, root, withCompileCache } from './bootstrap.mjs';

await main(async () => {
  const node = await bootstrap({ dev: false });
  const supervisor = path.join(root, 'dist/scripts/supervisor/main.js');
  return foreground(node, [supervisor, ...process.argv.slice(2)], { env: withCompileCache(), channel: true });
});
