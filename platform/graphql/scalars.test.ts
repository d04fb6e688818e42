import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BigIntScalar, DateTimeScalar, parseMoment } from './scalars.js';

describe('DateTime', () => {
  it('keeps nanoseconds and answers in UTC', () => {
    expect(parseMoment('2026-01-31T23:30:00.123456789-01:00')).toBe('2026-02-01T00:30:00.123456789Z');
    expect(DateTimeScalar.parseValue('2026-01-31t12:00:00z')).toBe('2026-01-31T12:00:00Z');
  });

  it.each([
    ...['2026-02-30T00:00:00Z', '2026-13-01T00:00:00Z', '2026-01-31', '2026-01-31T12:00:00', 'yesterday', ''],
    // Outside the years 1 to 9999 in UTC.
    ...['0000-12-31T23:59:59Z', '0001-01-01T00:00:00+00:01', '9999-12-31T23:59:59-00:01'],
  ])('refuses %s', (text) => {
    expect(parseMoment(text)).toBeUndefined();
  });

  it('reads every moment that JavaScript writes', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }),
        (date) => {
          expect(Date.parse(parseMoment(date.toISOString())!)).toBe(date.getTime());
        },
      ),
    );
  });
});

describe('BigInt', () => {
  it('is always a string, beyond 2^53 too', () => {
    expect(BigIntScalar.serialize(12)).toBe('12');
    expect(BigIntScalar.serialize('9223372036854775807')).toBe('9223372036854775807');
    expect(BigIntScalar.parseValue(9007199254740993n)).toBe('9007199254740993');
  });

  it.each([1.5, 'x', '', 2 ** 60, null])('refuses %s', (value) => {
    expect(() => BigIntScalar.parseValue(value)).toThrow(/BigInt takes a whole number/);
  });
});
