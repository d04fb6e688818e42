/** From an `Authorization` value to an identity. */
import { fail } from '../platform/errors.js';
import type { Identity } from '../platform/identity.js';
import type { Tokens } from '../platform/tokens.js';

/** How long an operation may take. */
export const operationDeadlineMs = 35_000;

/**
 * Reads `Bearer <access token>`.
 * @returns undefined where nothing was sent: some fields need no token
 * @throws UNAUTHENTICATED or TOKEN_EXPIRED
 */
export async function authenticate(
  tokens: Tokens,
  authorization: string | undefined,
  requestId: string,
  nowMs: number,
): Promise<Identity | undefined> {
  if (authorization === undefined || authorization.trim() === '') return undefined;
  const token = /^Bearer +(\S+)$/i.exec(authorization.trim())?.[1];
  if (token === undefined) fail('UNAUTHENTICATED', 'The Authorization header takes `Bearer <access token>`.');
  const claims = await tokens.verify(token);
  return {
    orgId: claims.orgId,
    subject: { kind: 'USER', id: claims.userId, userId: claims.userId },
    capabilities: claims.capabilities,
    tier: claims.tier,
    requestId,
    deadline: nowMs + operationDeadlineMs,
    expiresAtMs: claims.expiresAtMs,
  };
}
