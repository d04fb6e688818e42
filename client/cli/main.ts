#!/usr/bin/env node
/** The `harborwatch` command: finds the command, runs it, and turns what it throws into a message and an exit status. */
import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { createKey, createOrg, listKeys, revokeKey } from './account-commands.js';
import { helpOf, overview, parseArguments, suggestion } from './arguments.js';
import type { Command } from './command.js';
import { exitStatus, toFailure, usageError } from './failure.js';
import { ingest } from './ingest/command.js';
import { Interrupted, interruptedStatus } from './interruption.js';
import { cancelJob, listJobs, saveResults, showJob } from './jobs/commands.js';
import { query } from './query/command.js';
import { login, logout, whoami } from './session-commands.js';
import { ReaderGone, Terminal } from './terminal/terminal.js';
import { usage } from './usage-command.js';

const commands: readonly Command[] = [
  ingest,
  query,
  saveResults,
  showJob,
  cancelJob,
  listJobs,
  usage,
  login,
  logout,
  whoami,
  createOrg,
  createKey,
  listKeys,
  revokeKey,
];

async function run(args: string[], terminal: Terminal): Promise<number> {
  const [name] = args;
  if (name === '--version') {
    await terminal.data(`harborwatch ${version()}\n`);
    return exitStatus.success;
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    const about = find(args.slice(1))?.command;
    await terminal.data(about ? helpOf(about) : overview(commands));
    return exitStatus.success;
  }
  if (name === undefined) {
    terminal.message(overview(commands).trimEnd());
    return exitStatus.usage;
  }
  const found = find(args);
  if (!found) throw unknownCommand(args);
  const parsed = parseArguments(found.command, found.rest);
  if (parsed.flags.has('help')) {
    await terminal.data(helpOf(found.command));
    return exitStatus.success;
  }
  return found.command.run(parsed, terminal);
}

/** The command that the arguments begin with, and what follows it. */
function find(args: string[]): { command: Command; rest: string[] } | undefined {
  for (const command of commands) {
    const words = command.name.split(' ');
    if (words.every((word, index) => word === args[index])) return { command, rest: args.slice(words.length) };
  }
  return undefined;
}

function unknownCommand([name = '', second]: string[]): Error {
  const names = commands.map((command) => command.name);
  const ofName = names.filter((known) => known.startsWith(`${name} `));
  if (ofName.length > 0) {
    const given = second === undefined || second.startsWith('-') ? '' : `There is no command "${name} ${second}". `;
    return usageError(`${given}"${name}" goes with another word: ${ofName.join(', ')}.`);
  }
  return usageError(`There is no command "${name}".${suggestion(name, names)} There are: ${names.join(', ')}.`);
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
