/** The GraphQL shape of the widgets. */
import { ArgsType, Field, Float, Int, InterfaceType, ObjectType, registerEnumType } from 'type-graphql';
import { Authenticated } from '../../platform/graphql/access-rules.js';
import { Period } from '../../platform/graphql/period.js';
import { BigIntScalar, DateTimeScalar } from '../../platform/graphql/scalars.js';
import type { PeriodName } from '../../platform/periods.js';
import type { Trend as TrendRow } from './service.js';

export enum WidgetSource {
  CACHE = 'CACHE',
  ROLLUP = 'ROLLUP',
  RAW = 'RAW',
}
registerEnumType(WidgetSource, {
  name: 'WidgetSource',
  description: 'Where a widget’s answer came from.',
  valuesConfig: {
    CACHE: { description: 'Computed earlier, and kept.' },
    ROLLUP: { description: 'Computed now, from the events counted by minute.' },
    RAW: { description: 'Computed now, from the events themselves.' },
  },
});

export enum TrendDirection {
  UP = 'UP',
  DOWN = 'DOWN',
  STABLE = 'STABLE',
}
registerEnumType(TrendDirection, {
  name: 'TrendDirection',
  description: 'How a figure moved against the period before.',
  valuesConfig: {
    UP: { description: 'More than 1 % up, or from nothing to something.' },
    DOWN: { description: 'More than 1 % down.' },
    STABLE: { description: 'Within 1 %.' },
  },
});

@InterfaceType('WidgetResult', {
  description: 'What every widget tells of its answer: how fresh it is, and where it came from.',
})
export abstract class WidgetResult {
  @Field(() => Boolean, { description: 'Whether it was computed earlier, for another request.' })
  cached!: boolean;
  @Field(() => Int, { description: 'How long an answer is kept at most, in seconds; new events end it sooner.' })
  cacheTtlSeconds!: number;
  @Field(() => DateTimeScalar, { description: 'When it was computed.' })
  generatedAt!: string;
  @Field(() => DateTimeScalar, {
    nullable: true,
    description: 'Every event that was stored up to this moment is counted.',
  })
  dataThrough!: string | null;
  @Field(() => Boolean, {
    description: 'Whether events may be missing that were stored more than `cacheTtlSeconds` ago.',
  })
  stale!: boolean;
  @Field(() => WidgetSource, { description: 'Where it came from.' })
  source!: keyof typeof WidgetSource;
}

@Authenticated()
@ObjectType('TotalEventsTrend', {
  simpleResolvers: true,
  description: 'The total against the equally long period before.',
})
export class TotalEventsTrend {
  @Field(() => Float, {
    nullable: true,
    description: 'The change in percent, to two decimals; null when there were no events before.',
  })
  changePercentage!: number | null;
  @Field(() => TrendDirection, { description: 'Which way it went.' })
  direction!: TrendRow['direction'];
  @Field(() => BigIntScalar, { description: 'How many events the period before had.' })
  previousPeriod!: string;
}

@Authenticated()
@ObjectType('SeverityCount', { simpleResolvers: true, description: 'The events of one severity.' })
export class SeverityCount {
  @Field(() => String, { description: 'critical, high, medium, low or info.' })
  severity!: string;
  @Field(() => BigIntScalar, { description: 'How many events.' })
  count!: string;
}

@Authenticated()
@ObjectType('TotalEventsWidget', {
  simpleResolvers: true,
  implements: WidgetResult,
  description: 'How many security events a period had.',
})
export class TotalEventsWidget extends WidgetResult {
  @Field(() => BigIntScalar, { description: 'The events of the period.' })
  totalEvents!: string;
  @Field(() => BigIntScalar, {
    description: 'Those of severity high or critical, and those whose outcome is a failure.',
  })
  totalErrors!: string;
  @Field(() => TotalEventsTrend, { nullable: true, description: 'Null when `includeTrend` is false.' })
  trend!: TotalEventsTrend | null;
  @Field(() => [SeverityCount], {
    description: 'The five severities from critical to info, also those without events.',
  })
  breakdown!: SeverityCount[];
  @Field(() => DateTimeScalar, { description: 'The first moment that is counted: the start of a minute.' })
  from!: string;
  @Field(() => DateTimeScalar, { description: 'The end of the running minute; it is not counted itself.' })
  to!: string;
}

/** What every widget takes. */
@ArgsType()
class WidgetArgs {
  @Field(() => Boolean, {
    nullable: true,
    defaultValue: false,
    description: 'Computes the answer anew instead of taking a kept one.',
  })
  refresh?: boolean | null;
  @Field(() => Int, { nullable: true, description: 'Takes no kept answer that is older than this, in seconds.' })
  maxStalenessSeconds?: number | null;
}

@ArgsType()
export class TotalEventsArgs extends WidgetArgs {
  @Field(() => Period, { nullable: true, defaultValue: Period.P_24H, description: 'How far back to count.' })
  period?: PeriodName | null;
  @Field(() => Boolean, { nullable: true, defaultValue: true, description: 'Compares with the period before.' })
  includeTrend?: boolean | null;
  @Field(() => String, {
    nullable: true,
    description:
      'Counts this dataset alone, by name or alias. Default: all but web_activity, since the use of Harborwatch is no security event.',
  })
  dataset?: string | null;
}

@Authenticated()
@ObjectType('Widgets', { simpleResolvers: true, description: 'Figures for dashboards, each answered in milliseconds.' })
export class Widgets {}
