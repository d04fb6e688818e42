/** Errors of a LINQ text, at their place in it. */
import { type ErrorCode, fail } from '../../../platform/errors.js';
import { CallMismatch } from '../../plan/functions/index.js';
import type { SourceText } from '../../source-text.js';
import type { Node, Span } from './syntax.js';

export class Problems {
  constructor(readonly source: SourceText) {}

  fail(code: ErrorCode, message: string, { start }: Pick<Span, 'start'>): never {
    fail(code, message, { argument: 'query', ...this.source.position(start) });
  }

  syntax(message: string, at: Pick<Span, 'start'>): never {
    this.fail('QUERY_SYNTAX', message, at);
  }

  unsupported(message: string, at: Pick<Span, 'start'>): never {
    this.fail('QUERY_NOT_SUPPORTED', message, at);
  }

  /** Makes a call of the plan for what the text calls `name`; a misfit of its arguments is told at their place. */
  checked<T>(name: string, at: Span, args: readonly Node[], make: () => T): T {
    try {
      return make();
    } catch (error) {
      if (!(error instanceof CallMismatch)) throw error;
      const message = error.message.replaceAll(error.fn, name);
      this.syntax(message, args.length > 1 ? (args[error.argument ?? -1] ?? at) : at);
    }
  }

  textOf({ start, end }: Span): string {
    return this.source.text.slice(start, end);
  }
}
