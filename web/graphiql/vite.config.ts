import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

const here = fileURLToPath(new URL('.', import.meta.url));

/** Builds the GraphiQL page into `dist/public/graphiql/`, from where the gateway serves it under `/graphiql/`. */
export default defineConfig({
  root: here,
  base: '/graphiql/',
  plugins: [react()],
  build: {
    outDir: fileURLToPath(new URL('../../dist/public/graphiql/', import.meta.url)),
    emptyOutDir: true,
    // The editor is one large chunk that is only fetched once; splitting it further gains nothing on the first load.
    chunkSizeWarningLimit: 8_000,
    reportCompressedSize: false,
    rolldownOptions: {
      onwarn(warning, warn) {
        // A hint to React's compiler that packages ship; it means nothing once they are bundled.
        if (warning.code !== 'MODULE_LEVEL_DIRECTIVE') warn(warning);
      },
    },
  },
});
