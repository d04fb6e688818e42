import { fileURLToPath } from 'node:url';

/** Where a server program that had to be fetched is kept; the tests share it with `npm start` in the same checkout. */
export const toolchainDir = fileURLToPath(new URL('../../.harborwatch/toolchain', import.meta.url));
