/** How deep JSON nests. Programs that read or write it call themselves for each level, and end where the stack does. */
import type { OperationLimits } from '../../platform/config.js';
import { limitError } from './limit-error.js';

const quote = 0x22;
const backslash = 0x5c;
// `[` and `{` differ in this one bit, and so do `]` and `}`.
const curly = 0x20;
const opening = 0x7b;
const closing = 0x7d;

/** The levels of lists and objects in a JSON text; a text that is no JSON gets any number. */
export function jsonDepth(text: Uint8Array): number {
  let depth = 0;
  let deepest = 0;
  for (let index = 0; index < text.length; index += 1) {
    const byte = text[index]!;
    if (byte === quote) {
      for (index += 1; index < text.length && text[index] !== quote; index += 1)
        if (text[index] === backslash) index += 1;
    } else if ((byte | curly) === opening) {
      depth += 1;
      if (depth > deepest) deepest = depth;
    } else if ((byte | curly) === closing) depth -= 1;
  }
  return deepest;
}

/**
 * Checks a JSON text before it is parsed: parsing a deep one takes far longer than this.
 * @throws OPERATION_LIMIT_EXCEEDED
 */
export function checkNesting(text: Uint8Array, limits: OperationLimits): void {
  // Every level takes two characters.
  if (text.length <= 2 * limits.nesting) return;
  const depth = jsonDepth(text);
  if (depth > limits.nesting) throw limitError('nesting', depth, limits.nesting);
}
