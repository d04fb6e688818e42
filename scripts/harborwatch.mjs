#!/usr/bin/env node
/** The `harborwatch` command: the machine's own Node may be too old for it, so it runs again under Node 24. */
import path from 'node:path';
import { bootstrap, foreground, main, root, withCompileCache } from './bootstrap.mjs';

await main(async () => {
  const node = await bootstrap({ dev: false });
  const script = path.join(root, 'dist/client/cli/main.js');
  return foreground(node, [script, ...process.argv.slice(2)], { env: withCompileCache(), cwd: process.cwd() });
});
