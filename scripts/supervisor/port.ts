/** The port of the gateway, looked at before anything is started. */
import { listenError } from '../../platform/embedded/processes.js';
import { StartError } from '../../platform/embedded/start-error.js';

/** Throws StartError, with what to do, when nothing can listen there. */
export async function requirePort(port: number, host = '127.0.0.1'): Promise<void> {
  const code = await listenError(port, host);
  if (code === undefined) return;
  const reasons: Record<string, string> = {
    EADDRINUSE: `Port ${port} is busy: stop the program that uses it, or choose another with --port N.`,
    EACCES: `Port ${port} is reserved for administrators: choose one above 1023 with --port N.`,
    EADDRNOTAVAIL: `HOST "${host}" is not an address of this machine: correct it, or leave it out.`,
    ENOTFOUND: `HOST "${host}" has no address: correct it, or leave it out.`,
  };
  throw new StartError(
    reasons[code] ?? `Nothing can listen on port ${port} of ${host} (${code}): choose another with --port N.`,
  );
}
