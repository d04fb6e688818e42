/**
 * Who may ask for a field, declared beside it with federation's directives and checked twice: by the gateway before it
 * plans, and again by the subgraph before it resolves.
 * https://www.apollographql.com/docs/graphos/reference/federation/directives#managing-access
 */
import { Directive } from 'type-graphql';
import type { Action } from '../identity.js';

/** Anybody, without a token: what one needs before one has one. */
export const Public = () => Directive('@policy(policies: [["public"]])');

/** Whoever has signed in. */
export const Authenticated = () => Directive('@authenticated');

/** Whoever holds one of the actions, in whatever scope; services and row policies look at the scope itself. */
export const Requires = (...oneOf: [Action, ...Action[]]) =>
  Directive(`@requiresScopes(scopes: ${JSON.stringify(oneOf.map((action) => [action]))})`);
