/** SQL's constants as literals of the plan. */
import { literal } from '../../../plan/build.js';
import { figure } from '../../../plan/moment.js';
import type { TreeNode } from '../parse.js';
import { type Typed, Untranslatable } from './typed.js';

const maxInt4 = 2n ** 31n;
const maxInt8 = 2n ** 63n;

/** An `A_Const`. The parser has put a minus into the number behind it. */
export function constant(node: TreeNode): Typed {
  if (node.isnull === true) return { expr: literal('string', null), type: 'unknown' };
  const inner = (field: string): TreeNode | undefined => node[field] as TreeNode | undefined;
  if (inner('sval') !== undefined)
    return { expr: literal('string', String(inner('sval')!.sval ?? '')), type: 'unknown' };
  if (inner('boolval') !== undefined)
    return { expr: literal('bool', inner('boolval')!.boolval === true), type: 'bool' };
  if (inner('ival') !== undefined) return { expr: literal('long', Number(inner('ival')!.ival ?? 0)), type: 'int4' };
  if (inner('fval') !== undefined) return numeral(String(inner('fval')!.fval), node);
  throw new Untranslatable('a constant of this kind', node);
}

/** What is beyond 32 bits, or has a fraction. Hexadecimal and its like are left to PostgreSQL. */
function numeral(digits: string, node: TreeNode): Typed {
  if (/^-?\d+$/.test(digits)) {
    const value = BigInt(digits);
    if (value < maxInt4 && value >= -maxInt4) return { expr: literal('long', Number(value)), type: 'int4' };
    if (value < maxInt8 && value >= -maxInt8) return { expr: literal('long', figure(value)), type: 'int8' };
    return { expr: literal('decimal', digits), type: 'numeric' };
  }
  if (/^-?\d*\.\d+$/.test(digits)) {
    return { expr: literal('decimal', digits.replace(/^(-?)\./, '$10.')), type: 'numeric' };
  }
  throw new Untranslatable(`the number ${digits}`, node);
}
