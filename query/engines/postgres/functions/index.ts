/** The SQL of every function and operator of the plan. */
import type { FunctionName } from '../../../plan/functions/index.js';
import { arithmeticTemplates } from './arithmetic.js';
import { calendarTemplates } from './calendar.js';
import { comparisonTemplates } from './comparisons.js';
import { conditionalTemplates } from './conditionals.js';
import { conversionTemplates } from './conversions.js';
import { dateTemplates } from './dates.js';
import { dynamicTemplates } from './dynamics.js';
import { membershipTemplates } from './membership.js';
import { networkTemplates } from './networks.js';
import { numberTemplates } from './numbers.js';
import { strictTemplates } from './strict.js';
import { stringTemplates } from './strings.js';
import type { Template } from './template.js';
import { textOperatorTemplates } from './text-operators.js';

export const templates: Readonly<Record<FunctionName, Template>> = {
  ...comparisonTemplates,
  ...arithmeticTemplates,
  ...textOperatorTemplates,
  ...membershipTemplates,
  ...conversionTemplates,
  ...conditionalTemplates,
  ...numberTemplates,
  ...stringTemplates,
  ...dateTemplates,
  ...dynamicTemplates,
  ...networkTemplates,
  ...calendarTemplates,
  ...strictTemplates,
};
