/** What a command is. */
import type { CommandDeclaration, ParsedArguments } from './arguments.js';
import type { Terminal } from './terminal/terminal.js';

export interface Command extends CommandDeclaration {
  /** @returns the exit status */
  run(args: ParsedArguments, terminal: Terminal): Promise<number>;
}
