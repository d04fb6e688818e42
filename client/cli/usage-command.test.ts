import { expect, it } from 'vitest';
import { barOf } from './usage-command.js';

it('draws a bar in eighths of a column, as long as its share', () => {
  expect(barOf(1, 10)).toBe('█'.repeat(10));
  expect(barOf(0.55, 10)).toBe('█████▌');
  expect(barOf(0, 10)).toBe('');
});

it('shows what is next to nothing', () => {
  expect(barOf(1e-9, 10)).toBe('▏');
});
