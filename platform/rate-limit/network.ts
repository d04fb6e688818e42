/** Addresses as limits see them. */

const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** What shares one limit: an IPv4 address, or a network of IPv6 (/64), which one customer of a provider has whole. */
export function networkOf(address: string): string {
  const v4 = mapped.exec(address)?.[1] ?? address;
  if (!v4.includes(':')) return v4;
  const [head = '', tail] = v4.split('%', 1)[0]!.split('::');
  const groups = head === '' ? [] : head.split(':');
  const behind = tail ? tail.split(':').length : 0;
  if (tail !== undefined) while (groups.length + behind < 8) groups.push('0');
  const network = [...groups, ...(tail ? tail.split(':') : [])].slice(0, 4);
  return `${network.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`;
}
