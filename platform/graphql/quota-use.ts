/** How the subgraphs tell of quotas: each its own figures, as fields of `Usage`. */
import 'reflect-metadata';
import { Directive, Field, Int, ObjectType } from 'type-graphql';
import type { Identity } from '../identity.js';
import { percentOf, type QuotaUse as Use } from '../quotas.js';
import { Authenticated } from './access-rules.js';
import { BigIntScalar } from './scalars.js';

@Directive('@shareable')
@Authenticated()
@ObjectType('QuotaUse', { simpleResolvers: true, description: 'What the organisation uses of a quota.' })
export class QuotaUse {
  @Field(() => BigIntScalar, { description: 'What is used now.' })
  used!: number;
  @Field(() => BigIntScalar, { nullable: true, description: 'How much it may be; null for no limit.' })
  limit!: number | null;
  @Field(() => Int, { nullable: true, description: 'Percent of the limit, rounded down; null without one.' })
  percent!: number | null;
}

/** The largest Int: a limit that was lowered to almost nothing may be passed by more. */
const maxPercent = 2_147_483_647;

export const toQuotaUse = ({ used, limit }: Use): QuotaUse =>
  limit === Number.POSITIVE_INFINITY
    ? { used, limit: null, percent: null }
    : { used, limit, percent: Math.min(percentOf(used, limit), maxPercent) };

/** The reference to an organisation's usage, as the other subgraphs extend it. */
export interface UsageKey {
  orgId: string;
}

/** Resolves references to usage: the caller's own organisation's is known, no other. */
export const usageReferences = async (
  { orgId: own }: Identity,
  references: readonly Record<string, unknown>[],
): Promise<(UsageKey | null)[]> =>
  references.map(({ orgId }) => (String(orgId).toLowerCase() === own ? { orgId: own } : null));
