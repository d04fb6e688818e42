/**
 * OpenSearch cannot answer a part of a plan exactly (it reckons in doubles, and lacks what it has not indexed), or not at
 * all: PostgreSQL, which has everything, answers the plan.
 */
export class Declined extends Error {
  override readonly name = 'Declined';
}
