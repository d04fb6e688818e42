/** Aggregates of `summarize`, `make-series` and windows. Nulls do not count, where nothing else is said. */
import type { FunctionSpec } from './signatures.js';
import { spec } from './spec.js';

const page = (name: string): string => `${name}-aggregation-function`;

/** An aggregate whose second argument is a share in percent. */
export const withShare = (of: FunctionSpec): FunctionSpec => ({
  ...of,
  check: ([, share]) => {
    const percent = share?.kind === 'literal' && share.value !== null ? Number(share.value) : Number.NaN;
    return percent >= 0 && percent <= 100
      ? undefined
      : { argument: 1, message: 'The share of a percentile must be from 0 to 100.' };
  },
});

const quantile = (description: string): FunctionSpec =>
  withShare(
    spec(
      page('percentiles'),
      description,
      'long, long|real! -> long',
      'real, long|real! -> real',
      'decimal, long|real! -> decimal',
      'datetime, long|real! -> datetime',
      'timespan, long|real! -> timespan',
    ),
  );
const spread = (name: string, description: string): FunctionSpec =>
  spec(page(name), `${description} 0 over no values.`, 'real -> real', 'decimal -> real');

export const aggregateSpecs = {
  count: spec(page('count'), 'How many rows there are, or rows in which the value is not null.', 'any? -> long'),
  sum: spec(
    page('sum'),
    'The sum; 0 over no values. A long that overflows is an error.',
    'N -> N',
    'timespan -> timespan',
  ),
  avg: spec(
    page('avg'),
    'The mean; over no values NaN for numbers that are real, else null.',
    'long|real -> real',
    'decimal -> decimal',
    'timespan -> timespan',
    'datetime -> datetime',
  ),
  min: spec(page('min'), 'The least value; null over none.', 'O -> O'),
  max: spec(page('max'), 'The greatest value; null over none.', 'O -> O'),
  dcount: spec(page('dcount'), 'How many different values there are, exactly.', 'any -> long'),
  count_distinct: spec(page('count-distinct'), 'How many different values there are, exactly.', 'any -> long'),
  make_list: spec(
    page('makelist'),
    'The values in the order of the rows, at most as many as the second argument says.',
    'any, long!? -> dynamic',
  ),
  make_list_with_nulls: spec(
    page('make-list-with-nulls'),
    'All values in the order of the rows, nulls included.',
    'any -> dynamic',
  ),
  make_set: spec(
    page('makeset'),
    'The different values in a fixed order, of arrays their elements, at most as many as the second argument says.',
    'any, long!? -> dynamic',
  ),
  make_bag: spec(
    page('make-bag'),
    'One bag of the properties of all bags; a key that several have keeps one of their values.',
    'dynamic, long!? -> dynamic',
  ),
  percentile: quantile('The least value that the given share of the values, in percent, does not exceed.'),
  stdev: spread('stdev', 'The standard deviation of a sample.'),
  stdevp: spread('stdevp', 'The standard deviation of a whole population.'),
  variance: spread('variance', 'The variance of a sample.'),
  variancep: spread('variancep', 'The variance of a whole population.'),
} satisfies Record<string, FunctionSpec>;
