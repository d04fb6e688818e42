#!/usr/bin/env node
/** The `harborwatch` command: finds the command, runs it, and turns what it throws into a message and an exit status. */
import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { helpOf, overview, parseArguments, suggestion } from './arguments.js';
import type { Command } from './command.js';
import { exitStatus, toFailure, usageError } from './failure.js';
import { ingest } from './ingest/command.js';
import { Interrupted, interruptedStatus } from './interruption.js';
import { query } from './query/command.js';
import { login, logout, whoami } from './session-commands.js';
import { ReaderGone, Terminal } from './terminal/terminal.js';

const commands: readonly Command[] = [ingest, query, login, logout, whoami];

async function run(args: string[], terminal: Terminal): Promise<number> {
  const [name, ...rest] = args;
  if (name === '--version') {
    await terminal.data(`harborwatch ${version()}\n`);
    return exitStatus.success;
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    const about = commands.find((command) => command.name === rest[0]);
    await terminal.data(about ? helpOf(about) : overview(commands));
    return exitStatus.success;
  }
  if (name === undefined) {
    terminal.message(overview(commands).trimEnd());
    return exitStatus.usage;
  }
  const command = commands.find((item) => item.name === name);
  if (!command) {
    const names = commands.map((item) => item.name);
    throw usageError(`There is no command "${name}".${suggestion(name, names)} There are: ${names.join(', ')}.`);
  }
  const parsed = parseArguments(command, rest);
  if (parsed.flags.has('help')) {
    await terminal.data(helpOf(command));
    return exitStatus.success;
  }
  return command.run(parsed, terminal);
}

function version(): string {
  const file = findPackageJSON('..', import.meta.url);
  return file ? JSON.parse(readFileSync(file, 'utf8')).version : 'unknown';
}

async function main(): Promise<number> {
  const terminal = new Terminal(process);
  try {
    return await run(process.argv.slice(2), terminal);
  } catch (error) {
    terminal.clearStatus();
    if (error instanceof ReaderGone) return exitStatus.success;
    if (error instanceof Interrupted) return interruptedStatus;
    const failure = toFailure(error);
    terminal.failure(failure.message);
    return failure.status;
  }
}

process.exitCode = await main();
