/** The GraphQL shape of query texts: how one would run, and what could stand in it. */
import { Field, Float, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import { Authenticated } from '../../../platform/graphql/access-rules.js';
import { BigIntScalar, DateTimeScalar } from '../../../platform/graphql/scalars.js';

export enum QueryLanguage {
  SQL = 'SQL',
  KQL = 'KQL',
  LINQ = 'LINQ',
  OPENSEARCH = 'OPENSEARCH',
}
registerEnumType(QueryLanguage, {
  name: 'QueryLanguage',
  description: 'What a query is written in.',
  valuesConfig: {
    SQL: { description: 'One SELECT in the PostgreSQL dialect; datasets are its tables.' },
    KQL: { description: 'Kusto Query Language; datasets are its tables.' },
    LINQ: { description: 'Devo’s query language: `from dataset where … select …`.' },
    OPENSEARCH: { description: 'A search in OpenSearch’s query DSL, as JSON; `dataset` says what it searches.' },
  },
});

export enum QueryEngineName {
  POSTGRES = 'POSTGRES',
  OPENSEARCH = 'OPENSEARCH',
}
registerEnumType(QueryEngineName, {
  name: 'QueryEngineName',
  description: 'Where a query runs.',
  valuesConfig: {
    POSTGRES: { description: 'In PostgreSQL, the system of record.' },
    OPENSEARCH: { description: 'In OpenSearch, as far as it can; the rest on its result in PostgreSQL.' },
  },
});

@Authenticated()
@ObjectType('IndexRecommendation', { simpleResolvers: true, description: 'An index that would help a query.' })
export class IndexRecommendation {
  @Field(() => String, { description: 'The dataset.' })
  dataset!: string;
  @Field(() => [String], { description: 'The columns that the query filters by without an index.' })
  columns!: string[];
  @Field(() => String, { description: 'Why, for people.' })
  reason!: string;
  @Field(() => String, { description: 'What the database’s owner would run.' })
  statement!: string;
}

@Authenticated()
@ObjectType('QueryPlanReport', { simpleResolvers: true, description: 'How a query would run, and what it would cost.' })
export class QueryPlanReport {
  @Field(() => QueryEngineName, { description: 'Where it would run.' })
  engine!: keyof typeof QueryEngineName;
  @Field(() => String, {
    description: 'The steps of the query; for platform administrators also what the engine makes of them (EXPLAIN).',
  })
  text!: string;
  @Field(() => BigIntScalar, {
    nullable: true,
    description:
      'Rows of the result. For platform administrators the planner’s guess; for others the next power of ten of the rows at most.',
  })
  estimatedRows!: number | null;
  @Field(() => Float, {
    nullable: true,
    description:
      'The planner’s cost, in its own unit. For platform administrators: it tells of other organisations’ data.',
  })
  estimatedCost!: number | null;
  @Field(() => [String], { description: 'The indexes that it would use. For platform administrators.' })
  indexesUsed!: string[];
  @Field(() => [IndexRecommendation], { description: 'Indexes that would help. For platform administrators.' })
  recommendations!: IndexRecommendation[];
  @Field(() => Boolean, {
    description:
      'Whether it can run slice by slice of time, newest first, so that partial results and true progress show.',
  })
  runsInSlices!: boolean;
}

export enum CompletionKind {
  TABLE = 'TABLE',
  COLUMN = 'COLUMN',
  NAME = 'NAME',
  FUNCTION = 'FUNCTION',
  AGGREGATE = 'AGGREGATE',
  OPERATOR = 'OPERATOR',
  KEYWORD = 'KEYWORD',
}
registerEnumType(CompletionKind, {
  name: 'CompletionKind',
  description: 'What a completion is.',
  valuesConfig: {
    TABLE: { description: 'A dataset, or a table that the text defines.' },
    COLUMN: { description: 'A column.' },
    NAME: { description: 'A name that the text defines.' },
    FUNCTION: { description: 'A function.' },
    AGGREGATE: { description: 'A function over many rows.' },
    OPERATOR: { description: 'An operator.' },
    KEYWORD: { description: 'A word of the language.' },
  },
});

@Authenticated()
@ObjectType('QueryCompletion', {
  simpleResolvers: true,
  description: 'What could stand at the cursor. Places are counted in UTF-16 units from the start of the text.',
})
export class QueryCompletion {
  @Field(() => String, { description: 'What a list shows.' })
  label!: string;
  @Field(() => CompletionKind, { description: 'What it is.' })
  kind!: keyof typeof CompletionKind;
  @Field(() => String, { description: 'One sentence, or a column’s type; empty where there is nothing to say.' })
  description!: string;
  @Field(() => String, { description: 'What stands between `start` and `end` when it is taken.' })
  insert!: string;
  @Field(() => Int, { description: 'Where the text that it replaces begins.' })
  start!: number;
  @Field(() => Int, { description: 'Where the text that it replaces ends.' })
  end!: number;
}

@InputType('EstimateQueryInput', { description: 'A query to look at without running it.' })
export class EstimateQueryInput {
  @Field(() => String, { description: 'The query’s text.' })
  query!: string;
  @Field(() => QueryLanguage, { nullable: true, description: 'What it is written in. Default: SQL.' })
  language?: keyof typeof QueryLanguage | null;
  @Field(() => String, {
    nullable: true,
    description:
      'With OPENSEARCH: the dataset that it searches. Default: logs. Other languages name theirs in the text.',
  })
  dataset?: string | null;
  @Field(() => DateTimeScalar, {
    nullable: true,
    description: 'Only events at or after this moment are read, whatever the text says.',
  })
  from?: string | null;
  @Field(() => DateTimeScalar, {
    nullable: true,
    description: 'Only events before this moment are read, whatever the text says.',
  })
  to?: string | null;
}

@InputType('CompleteQueryInput', { description: 'A query that is being written.' })
export class CompleteQueryInput {
  @Field(() => String, { description: 'The text so far.' })
  query!: string;
  @Field(() => QueryLanguage, { description: 'What it is written in.' })
  language!: keyof typeof QueryLanguage;
  @Field(() => Int, { description: 'Where the cursor stands: how many UTF-16 units are before it.' })
  position!: number;
}
