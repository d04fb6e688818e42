/** Figures for Prometheus, for whom they are meant alone. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { BlockList, isIPv6 } from 'node:net';
import { fail } from '../../platform/errors.js';
import { type Figures, metricsContentType, processMetrics } from '../../platform/metrics.js';
import { sendAnswer } from './caching.js';
import type { Route } from './listener.js';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/**
 * The route `/metrics`.
 * @param token whoever sends it may read, from anywhere; without one only callers on this machine may
 */
export function metricsRoute(figures: readonly Figures[], token: string | undefined): Route {
  const all = [...figures, processMetrics()];
  return {
    path: '/metrics',
    methods: ['GET', 'HEAD'],
    authenticated: false,
    async handle({ request, response }) {
      if (token !== undefined) {
        const sent = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
        if (sent === undefined || !isEqual(sent, token)) {
          fail('UNAUTHENTICATED', 'The figures need METRICS_TOKEN as `Authorization: Bearer <token>`.');
        }
      } else if (!isFromThisMachine(request)) {
        fail(
          'FORBIDDEN',
          'Only callers on this machine may read the figures. Set METRICS_TOKEN to read them from elsewhere.',
        );
      }
      const text = (await Promise.all(all.map((some) => some.text()))).join('\n');
      const body = Buffer.from(text);
      await sendAnswer(
        { request, response, identity: undefined },
        { status: 200, contentType: metricsContentType, body },
      );
    },
  };
}

/** In a time that tells nothing about how much of it is right. */
function isEqual(sent: string, token: string): boolean {
  const [a, b] = [sent, token].map((text) => createHash('sha256').update(text).digest());
  return timingSafeEqual(a!, b!);
}

/** What proxies add to the requests of others. */
const proxyHeaders = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip'];

/** A proxy on this machine speaks for others: its requests are theirs. */
function isFromThisMachine({ socket, headers }: IncomingMessage): boolean {
  const address = socket.remoteAddress;
  if (address === undefined || proxyHeaders.some((name) => headers[name] !== undefined)) return false;
  return loopback.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}
