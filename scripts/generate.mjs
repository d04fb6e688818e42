/** `npm run generate`: makes the committed files that come from the code; `--check` only compares. */
import path from 'node:path';
import { bootstrap, foreground, main, root, withNode } from './bootstrap.mjs';

await main(async () => {
  const node = await bootstrap({ dev: true });
  const script = path.join(root, 'dist/scripts/generate.js');
  return foreground(node, [script, ...process.argv.slice(2)], { env: withNode(node) });
});
