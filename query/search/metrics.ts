/** The figures of metrics in OpenSearch's shape. */

import { inZone } from '../languages/opensearch/date-math.js';
import { doubleText } from '../languages/opensearch/figures.js';
import type { MetricNode } from '../languages/opensearch/search-plans.js';
import type { JsonValue } from '../result.js';
import { toMillis } from './moments.js';

type Answer = Record<string, JsonValue>;

/** @param figure the value in a column of the bucket's row; null where the bucket has no events */
export function metricAnswer(metric: MetricNode, figure: (column: string) => JsonValue): Answer {
  const values = metric.columns.map((column) => toFigure(figure(column), metric.isDate));
  switch (metric.kind) {
    case 'value_count':
    case 'cardinality':
      return { value: values[0] ?? 0 };
    case 'sum':
      return { value: values[0] ?? 0 };
    case 'avg':
    case 'min':
    case 'max':
      return withText('value', values[0] ?? null, metric.isDate);
    case 'stats': {
      const [count, min, max, avg, sum] = values;
      return {
        count: count ?? 0,
        ...withText('min', min ?? null, metric.isDate),
        ...withText('max', max ?? null, metric.isDate),
        ...withText('avg', avg ?? null, metric.isDate),
        sum: sum ?? 0,
      };
    }
    case 'percentiles': {
      const named = metric.percents!.map((percent, index) => ({ key: percent, value: values[index] ?? null }));
      if (!metric.keyed) return { values: named };
      return { values: Object.fromEntries(named.map(({ key, value }) => [doubleText(key), value])) };
    }
  }
}

/** A moment also as text. */
const withText = (name: string, value: JsonValue, isDate: boolean): Answer => ({
  [name]: value,
  ...(isDate && value !== null && { [`${name}_as_string`]: inZone(Number(value), 'UTC') }),
});

/** A mean of nothing is NaN in the plan; OpenSearch says null. */
function toFigure(value: JsonValue, isDate: boolean): JsonValue {
  if (value === 'NaN' || value === null) return null;
  return isDate && typeof value === 'string' && value.includes('T') ? toMillis(value) : value;
}
