/**
 * `node --import ./tests/support/run-typescript.mjs file.ts` runs a TypeScript file without decorators as it is: for
 * tests that need a process of their own, to kill it. Node strips the types; this maps `./x.js` to the `x.ts` that is there.
 */
import { existsSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

registerHooks({
  resolve(specifier, context, next) {
    if (specifier.startsWith('.') && specifier.endsWith('.js') && context.parentURL?.startsWith('file:')) {
      const url = new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL);
      if (existsSync(fileURLToPath(url))) return next(url.href, context);
    }
    return next(specifier, context);
  },
});
