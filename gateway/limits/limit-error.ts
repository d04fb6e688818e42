/** How every limit of an operation is refused: the number, the limit, and the setting behind it. */
import { type OperationLimits, operationLimitSettings } from '../../platform/config.js';
import { HarborwatchError } from '../../platform/errors.js';
import { settings } from '../../platform/settings.js';

const messages: Record<keyof OperationLimits, (value: string) => string> = {
  tokens: (value) => `The document has ${value} tokens`,
  lines: (value) => `The document has ${value} lines`,
  nameLength: (value) => `A name in the document has ${value} letters`,
  depth: (value) => `The operation nests selections ${value} deep`,
  aliases: (value) => `The operation has ${value} aliases`,
  rootFields: (value) => `The operation has ${value} root fields`,
  directives: (value) => `The operation has ${value} directives`,
  selections: (value) => `The document makes ${value} selections, with its fragments spread`,
  repetitions: (value) => `The document selects the same fields in ${value} pairs of places`,
  nesting: (value) => `Lists and objects nest ${value} deep`,
  literalNesting: (value) => `Lists and objects in the text nest ${value} deep`,
  cost: (value) => `The operation costs ${value}`,
};

/** @param open whether the value is as far as was counted, and the true one is higher */
export function limitError(limit: keyof OperationLimits, value: number, maximum: number, open = false) {
  const told = `${open ? 'over ' : ''}${value.toLocaleString('en')}`;
  return new HarborwatchError(
    limit === 'cost' ? 'COST_LIMIT_EXCEEDED' : 'OPERATION_LIMIT_EXCEEDED',
    `${messages[limit](told)}; the limit is ${maximum.toLocaleString('en')}.`,
    { limit, value, maximum, setting: settings[operationLimitSettings[limit]].env },
  );
}
