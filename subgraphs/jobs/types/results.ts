/** The GraphQL shape of results. */
import { ArgsType, Directive, Field, Int, ObjectType } from 'type-graphql';
import { Authenticated } from '../../../platform/graphql/access-rules.js';
import { ResultColumnType } from '../../../platform/graphql/result-column-type.js';
import { JSONScalar } from '../../../platform/graphql/scalars.js';
import { connectionOf } from '../../../platform/graphql/types.js';

@Authenticated()
@ObjectType('ResultColumn', { simpleResolvers: true, description: 'A column of a result.' })
export class ResultColumn {
  @Field(() => String, { description: 'The key in the rows; unique in its result.' })
  name!: string;
  @Field(() => ResultColumnType, { description: 'What it holds.' })
  type!: keyof typeof ResultColumnType;
}

@Authenticated()
@ObjectType('ResultConnection', { simpleResolvers: true, description: 'A page of Result rows.' })
export class ResultConnection extends connectionOf('Result', () => JSONScalar) {
  @Field(() => [ResultColumn], {
    description: 'The columns, in the order of `rows`; empty while a running job does not know them yet.',
  })
  columns!: ResultColumn[];
  @Directive('@cost(weight: 1)')
  @Field(() => [JSONScalar], {
    description:
      'The rows as arrays of values in the order of `columns`: less to send than `nodes`, whose rows are objects.',
  })
  rows!: unknown[];
  @Field(() => String, {
    description: 'Equal for pages of the same rows in the same order: another one once the rows were replaced.',
  })
  version!: string;
  @Field(() => JSONScalar, {
    nullable: true,
    description: 'What a search of OpenSearch’s DSL aggregates, in OpenSearch’s shape; null for other queries.',
  })
  aggregations!: unknown;
  @Field(() => JSONScalar, {
    nullable: true,
    description:
      'The answer to a search of OpenSearch’s DSL in OpenSearch’s own shape, with the hits of this page; null for other queries.',
  })
  searchResponse!: unknown;
}

@ArgsType()
export class ResultArgs {
  @Field(() => Int, {
    nullable: true,
    description: 'How many rows: 1,000 where it is not given, at most 10,000. Pages of giant rows may have fewer.',
  })
  first?: number | null;
  @Field(() => String, { nullable: true, description: 'The cursor to go on after.' })
  after?: string | null;
  @Field(() => Int, { nullable: true, description: 'How many rows to leave out, from the start or after `after`.' })
  offset?: number | null;
  @Field(() => Boolean, {
    nullable: true,
    description: 'Whether a job that has not ended answers with the rows so far; else it is refused. Default: false.',
  })
  partial?: boolean | null;
}
