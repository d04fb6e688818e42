/** `npm run rotate-keys [-- --file F]`: a new key signs access tokens, and no token that is out ends by it. */
import path from 'node:path';
import { bootstrap, foreground, main, root, withCompileCache } from './bootstrap.mjs';

await main(async () => {
  const node = await bootstrap({ dev: false });
  const program = path.join(root, 'dist/scripts/rotate-keys.js');
  return foreground(node, [program, ...process.argv.slice(2)], { env: withCompileCache() });
});
