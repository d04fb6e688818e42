/**
 * Connections to receivers. The name is looked up once, every address that it has is checked, and one of these is dialled:
 * a name that changes in between changes nothing.
 */
import { Resolver } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import type { CallbackAddresses } from './addresses.js';

/** The name has no address, or one that may not be called. Which of the two is not told: it would map what is inside. */
export class AddressNotAllowed extends Error {
  override readonly name = 'AddressNotAllowed';
}

/** Asks name servers without the threads of `dns.lookup`, which slow servers of somebody else's could hold up. */
export const createResolver = (): Resolver => new Resolver({ timeout: 1_500, tries: 2 });

interface Address {
  address: string;
  family: 4 | 6;
}

async function lookUp(resolver: Resolver, host: string): Promise<Address[]> {
  const literal = isIP(host);
  if (literal !== 0) return [{ address: host, family: literal as 4 | 6 }];
  const none = (): string[] => [];
  const [v4, v6] = await Promise.all([resolver.resolve4(host).catch(none), resolver.resolve6(host).catch(none)]);
  return [
    ...v6.map((address): Address => ({ address, family: 6 })),
    ...v4.map((address): Address => ({ address, family: 4 })),
  ];
}

/**
 * What undici connects with.
 * @param timeoutMs from the first packet to the end of the TLS handshake
 */
export function createConnector(
  addresses: CallbackAddresses,
  resolver: Resolver,
  timeoutMs: number,
): buildConnector.connector {
  return (options, callback) => {
    lookUp(resolver, options.hostname).then(
      (found) => {
        if (found.length === 0 || !found.every(({ address }) => addresses.admits(address, options.protocol))) {
          callback(new AddressNotAllowed(), null);
          return;
        }
        const lookup: LookupFunction = (_host, { all }, done) =>
          all ? done(null, found) : done(null, found[0]!.address, found[0]!.family);
        // A connector for each connection: no TLS session of another one is gone on with.
        const connect = buildConnector({
          timeout: timeoutMs,
          lookup,
          autoSelectFamily: true,
          allowH2: false,
          rejectUnauthorized: true,
        } as buildConnector.BuildOptions);
        connect(options, callback);
      },
      (error: Error) => callback(error, null),
    );
  };
}
