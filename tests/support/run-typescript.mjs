/**
 * `node --import ./tests/support/run-typescript.mjs file.ts` runs a TypeScript file as it is: for tests that need a process
 * of their own, to kill it. This maps `./x.js` to the `x.ts` that is there. Node takes out the types; TypeScript itself,
 * which is slower, only where there are decorators.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire, registerHooks, stripTypeScriptTypes } from 'node:module';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);

function withoutDecorators(source, fileName) {
  const typescript = require('typescript');
  const { compilerOptions } = JSON.parse(readFileSync(new URL('../../tsconfig.json', import.meta.url), 'utf8'));
  const { options } = typescript.convertCompilerOptionsFromJson({ ...compilerOptions, module: 'esnext' }, '.');
  return typescript.transpileModule(source, { fileName, compilerOptions: { ...options, sourceMap: false } }).outputText;
}

registerHooks({
  resolve(specifier, context, next) {
    if (specifier.startsWith('.') && specifier.endsWith('.js') && context.parentURL?.startsWith('file:')) {
      const url = new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL);
      if (existsSync(fileURLToPath(url))) return next(url.href, context);
    }
    return next(specifier, context);
  },
  load(url, context, next) {
    if (!url.endsWith('.ts') || url.includes('/node_modules/')) return next(url, context);
    const fileName = fileURLToPath(url);
    const text = readFileSync(fileName, 'utf8');
    const decorated = /^\s*@[A-Z]\w*\(/m.test(text);
    const source = decorated
      ? withoutDecorators(text, fileName)
      : stripTypeScriptTypes(text, { mode: 'transform', sourceUrl: fileName });
    return { format: 'module', source, shortCircuit: true };
  },
});
