/** `npm run gateway -- --supergraph FILE --port N [--no-auth]`: the gateway alone, over any composed supergraph. */
import path from 'node:path';
import { bootstrap, foreground, main, root, withCompileCache } from './bootstrap.mjs';

await main(async () => {
  const node = await bootstrap({ dev: false });
  const program = path.join(root, 'dist/gateway/standalone.js');
  return foreground(node, [program, ...process.argv.slice(2)], { env: withCompileCache(), channel: true });
});
