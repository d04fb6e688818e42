/** Network addresses. */
import type { networks } from '../../../plan/functions/networks.js';
import { type Argument, partial, type Sql, type Template } from './template.js';

type Family = 'ipv4' | 'ipv6';

/** An address as an inet; a column that is one is read as it is stored. */
const address = (family: Family, { column, sql }: Argument): string =>
  family === 'ipv4' && column?.stored === 'INET' ? `fn.only_ipv4(${column.sql})` : `fn.${family}(${sql})`;

const compare = (family: Family, args: readonly Argument[]): string => {
  const [a, b, prefix] = args as [Argument, Argument, Argument | undefined];
  return `fn.compare_addresses(${address(family, a)}, ${address(family, b)}, ${prefix?.sql ?? (family === 'ipv4' ? '32' : '128')})`;
};
const comparison =
  (family: Family): Template =>
  ({ args }) => ({ sql: compare(family, args), nullable: true });
const match =
  (family: Family): Template =>
  ({ args }) => ({ sql: `(${compare(family, args)} = 0)`, nullable: true });

/** Whether the address is in one of the networks, which may be elements of dynamics. */
const inRanges =
  (family: Family): Template =>
  ({ args }): Sql => {
    const [value, ...ranges] = args as [Argument, ...Argument[]];
    const parts = ranges.map((range) =>
      range.type === 'dynamic'
        ? `fn.in_any_range(${address(family, value)}, ${range.sql}, ${family === 'ipv4'})`
        : `fn.in_range(${address(family, value)}, ${address(family, range)})`,
    );
    return { sql: `(${parts.join(' OR ')})`, nullable: true };
  };

const search =
  (prefix: boolean): Template =>
  ({ args }): Sql => {
    const [value, ...wanted] = args as [Argument, ...Argument[]];
    const parts = wanted.map((each) =>
      each.type === 'dynamic'
        ? `fn.has_any_ipv4(${value.sql}, ${each.sql}, ${prefix})`
        : `fn.has_ipv4(${value.sql}, ${each.sql}, ${prefix})`,
    );
    return { sql: `(${parts.join(' OR ')})`, nullable: value.nullable };
  };

const format =
  (withMask: boolean): Template =>
  ({ args: [value, prefix] }) => {
    const parsed = value!.type === 'long' ? `fn.ipv4_of(${value!.sql})` : `fn.ipv4(${value!.sql})`;
    return { sql: `coalesce(fn.format_ipv4(${parsed}, ${prefix?.sql ?? '32'}, ${withMask}), '')`, nullable: false };
  };

export const networkTemplates: Readonly<Record<keyof typeof networks, Template>> = {
  ipv4_is_private: ({ args: [value] }) => ({ sql: `fn.is_private(${address('ipv4', value!)})`, nullable: true }),
  ipv4_is_match: match('ipv4'),
  ipv4_compare: comparison('ipv4'),
  ipv4_is_in_range: inRanges('ipv4'),
  ipv4_is_in_any_range: inRanges('ipv4'),
  ipv4_netmask_suffix: partial((a) => `masklen(fn.ipv4(${a}))::bigint`),
  ipv6_is_match: match('ipv6'),
  ipv6_compare: comparison('ipv6'),
  ipv6_is_in_range: inRanges('ipv6'),
  ipv6_is_in_any_range: inRanges('ipv6'),
  parse_ipv4: partial((a) => `fn.ipv4_number(fn.ipv4(${a}), 32)`),
  parse_ipv4_mask: partial((a, prefix) => `fn.ipv4_number(fn.ipv4(${a}), ${prefix})`),
  parse_ipv6: ({ args: [value] }) => ({ sql: `coalesce(fn.ipv6_text(fn.ipv6(${value!.sql})), '')`, nullable: false }),
  format_ipv4: format(false),
  format_ipv4_mask: format(true),
  has_ipv4: search(false),
  has_ipv4_prefix: search(true),
  has_any_ipv4: search(false),
  has_any_ipv4_prefix: search(true),
};
