/** Arithmetic. Longs that overflow are PostgreSQL's own error, never a wrong figure. */
import type { Argument, Template } from './template.js';

const pair = (args: readonly Argument[]): [Argument, Argument] => [args[0]!, args[1]!];
const isZero = ({ literal }: Argument): boolean => literal?.value == null || Number(literal.value) === 0;

const plus: Template = ({ args }) => {
  const [a, b] = pair(args);
  if (a.type === 'datetime') return { sql: `fn.shift(${a.sql}, ${b.sql})`, nullable: true };
  if (b.type === 'datetime') return { sql: `fn.shift(${b.sql}, ${a.sql})`, nullable: true };
  return `(${a.sql} + ${b.sql})`;
};

const minus: Template = ({ args }) => {
  const [a, b] = pair(args);
  if (a.type === 'datetime' && b.type === 'timespan') return { sql: `fn.shift(${a.sql}, - ${b.sql})`, nullable: true };
  return `(${a.sql} - ${b.sql})`;
};

const times: Template = ({ args }) => `(${args[0]!.sql} * ${args[1]!.sql})`;

const divided: Template = ({ args }) => {
  const [a, b] = pair(args);
  if (a.type === 'timespan' && b.type === 'timespan') {
    return `fn.divide(extract(epoch FROM ${a.sql})::float8, extract(epoch FROM ${b.sql})::float8)`;
  }
  if (a.type === 'real') return isZero(b) ? `fn.divide(${a.sql}, ${b.sql})` : `(${a.sql} / ${b.sql})`;
  return isZero(b) ? { sql: `(${a.sql} / nullif(${b.sql}, 0))`, nullable: true } : `(${a.sql} / ${b.sql})`;
};

export const arithmeticTemplates = {
  neg: ({ args }) => `(- ${args[0]!.sql})`,
  '+': plus,
  '-': minus,
  '*': times,
  '/': divided,
  '%': ({ args }) => ({ sql: `fn.modulo(${args[0]!.sql}, ${args[1]!.sql})`, nullable: true }),
} satisfies Record<string, Template>;
