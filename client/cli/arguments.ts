/** Reads a command's arguments by its declaration, and writes its help from the same. */
import { parseArgs } from 'node:util';
import { usageError } from './failure.js';

/** An option that takes a value, or a flag. */
export interface OptionDeclaration {
  /** What the help calls the value; flags have none. */
  value?: string;
  description: string;
  /** The allowed values. */
  choices?: readonly string[];
  /** The value without the option. */
  preset?: string;
  required?: boolean;
  /** May be given several times: its values are in `lists`. */
  repeats?: boolean;
}

export interface CommandDeclaration {
  /** One word, or two such as `key create`. */
  name: string;
  /** One line for the list of commands. */
  summary: string;
  /** The positional arguments, as they stand in the usage line: `FILE`. */
  positionals: readonly string[];
  options: Record<string, OptionDeclaration>;
  /** What the help says below the options: examples, exit statuses. */
  notes?: string;
}

export interface ParsedArguments {
  positionals: string[];
  /** Values of options by name. */
  values: Record<string, string | undefined>;
  /** The values of options that repeat, in their order; empty where there is none. */
  lists: Record<string, string[]>;
  flags: Set<string>;
}

const helpOption: OptionDeclaration = { description: 'Show this help.' };

/** @throws CommandFailure that says what is wrong and how the command is used */
export function parseArguments(command: CommandDeclaration, args: string[]): ParsedArguments {
  const declared: Record<string, OptionDeclaration> = { ...command.options, help: helpOption };
  const wrong = (message: string) =>
    usageError(`${message}\nUsage: ${usageLine(command)}\nMore: harborwatch ${command.name} --help`);
  const { tokens } = parseArgs({
    args,
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(
      Object.entries(declared).map(([name, { value }]) => [
        name,
        { type: value ? 'string' : 'boolean', ...(name === 'help' ? { short: 'h' } : {}) } as const,
      ]),
    ),
  });
  const parsed: ParsedArguments = { positionals: [], values: {}, lists: {}, flags: new Set() };
  for (const [name, { repeats }] of Object.entries(declared)) if (repeats) parsed.lists[name] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') parsed.positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const option = Object.hasOwn(declared, token.name) ? declared[token.name] : undefined;
    if (!option) throw wrong(`There is no option ${token.rawName}.${suggestion(token.name, Object.keys(declared))}`);
    if (!option.value) {
      if (token.value !== undefined) throw wrong(`${token.rawName} takes no value.`);
      parsed.flags.add(token.name);
    } else {
      if (!token.value) throw wrong(`${token.rawName} takes a value: ${token.rawName} ${option.value}.`);
      if (option.choices && !option.choices.includes(token.value.toLowerCase())) {
        throw wrong(`${token.rawName} takes ${option.choices.join(', ')}, not "${token.value}".`);
      }
      const value = option.choices ? token.value.toLowerCase() : token.value;
      if (option.repeats) parsed.lists[token.name]!.push(value);
      else parsed.values[token.name] = value;
    }
  }
  if (parsed.flags.has('help')) return parsed;
  for (const [name, option] of Object.entries(declared)) {
    parsed.values[name] ??= option.preset;
    const given = option.repeats ? parsed.lists[name]![0] : parsed.values[name];
    if (option.required && given === undefined) throw wrong(`--${name} is missing.`);
  }
  const missing = command.positionals[parsed.positionals.length];
  if (missing) throw wrong(`${missing} is missing.`);
  const surplus = parsed.positionals[command.positionals.length];
  if (surplus !== undefined) {
    throw wrong(`"${surplus}" is one argument too many.${command.name === 'query' ? ' Put the query in quotes.' : ''}`);
  }
  return parsed;
}

/** The declared name that a misspelt one is nearest to, as a question. */
export function suggestion(given: string, names: string[]): string {
  const near = names.find((name) => name.startsWith(given) || given.startsWith(name) || oneEditApart(given, name));
  return near ? ` Did you mean ${names.includes('help') ? '--' : ''}${near}?` : '';
}

/** Whether one letter added, left out, changed or two neighbours swapped makes the one from the other. */
function oneEditApart(a: string, b: string): boolean {
  let start = 0;
  while (start < Math.min(a.length, b.length) && a[start] === b[start]) start++;
  const [restA, restB] = [a.slice(start), b.slice(start)];
  return (
    restA.slice(1) === restB.slice(1) ||
    restA.slice(1) === restB ||
    restA === restB.slice(1) ||
    (restA.slice(2) === restB.slice(2) && restA[0] === restB[1] && restA[1] === restB[0])
  );
}

const usageLine = (command: CommandDeclaration): string => {
  const required = Object.entries(command.options).filter(([, option]) => option.required);
  return [
    'harborwatch',
    command.name,
    ...command.positionals,
    ...required.map(([name, option]) => `--${name} ${option.value}`),
    '[options]',
  ].join(' ');
};

/** The command's help. */
export function helpOf(command: CommandDeclaration): string {
  const rows = Object.entries({ ...command.options, help: helpOption }).map(([name, option]): [string, string] => [
    `${name === 'help' ? '-h, ' : ''}--${name}${option.value ? ` ${option.value}` : ''}`,
    `${option.description}${option.repeats ? ' May be given several times.' : ''}${option.choices ? ` One of ${option.choices.join(', ')}.` : ''}${option.preset ? ` Default: ${option.preset}.` : ''}`,
  ]);
  return `${command.summary}\n\nUsage: ${usageLine(command)}\n\nOptions:\n${columns(rows)}\n${command.notes ? `\n${command.notes}\n` : ''}`;
}

/** The help of the program as a whole. */
export function overview(commands: readonly CommandDeclaration[]): string {
  const rows = commands.map((command): [string, string] => [
    [command.name, ...command.positionals].join(' '),
    command.summary,
  ]);
  return `harborwatch talks to a Harborwatch server from the command line.

Usage: harborwatch COMMAND [options]

Commands:
${columns(rows)}

\`harborwatch COMMAND --help\` tells more about a command; \`harborwatch --version\` shows the version.
Settings: HARBORWATCH_URL and HARBORWATCH_TOKEN stand for --url and --token; NO_COLOR turns colours off.
`;
}

/** Two columns, the second one wrapped. */
function columns(rows: [string, string][]): string {
  const left = Math.max(...rows.map(([name]) => name.length)) + 4;
  return rows
    .map(([name, text]) => {
      const lines: string[] = [''];
      for (const word of text.split(' ')) {
        if (lines.at(-1)!.length + word.length >= 100 - left) lines.push('');
        lines[lines.length - 1] += lines.at(-1) === '' ? word : ` ${word}`;
      }
      return `  ${name.padEnd(left - 2)}${lines.join(`\n${' '.repeat(left)}`)}`;
    })
    .join('\n');
}
