/** Which bytes a request asks for: the `Range` header of RFC 9110, one range of bytes. */

/** Both ends belong to it. */
export interface ByteRange {
  start: number;
  end: number;
}

/**
 * The range that a header asks for, of so many bytes.
 * @returns undefined for what is to be passed over, as RFC 9110 says: another unit, several ranges, no range at all;
 * `unsatisfiable` where none of the bytes is there
 */
export function rangeOf(header: string, size: number): ByteRange | 'unsatisfiable' | undefined {
  const [, first = '', last = ''] = /^bytes\s*=\s*(\d{0,15})\s*-\s*(\d{0,15})\s*$/i.exec(header) ?? [];
  if (first === '' && last === '') return undefined;
  if (first === '') {
    const length = Math.min(Number(last), size);
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size - 1 };
  }
  const start = Number(first);
  if (last !== '' && Number(last) < start) return undefined;
  if (start >= size) return 'unsatisfiable';
  return { start, end: last === '' ? size - 1 : Math.min(Number(last), size - 1) };
}

/** Whether a header is a range that may be answered with a part. */
export const isRange = (header: string | undefined): header is string =>
  header !== undefined && rangeOf(header, Number.MAX_SAFE_INTEGER) !== undefined;

/** Whether one of a header's entity tags is this one, compared as caches do. */
export const namesTag = (header: string | undefined, etag: string): boolean =>
  header?.split(',').some((tag) => ['*', etag].includes(tag.trim().replace(/^W\//, ''))) ?? false;
