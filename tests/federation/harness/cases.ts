/**
 * Reads the cases from their files.
 *
 * `cases/FAMILY/` has the subgraphs (`NAME.graphql`) and their data (`data.json`, see data.ts); each folder in it is a case:
 * `query.graphql`, `answer.json`, optional `variables.json`, and `case.json`. A case may run several times: then its
 * variables and its answers are lists of the same length.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type DocumentNode, parse } from 'graphql';
import type { GraphData } from './data.js';
import { type Implementations, implementationsIn } from './knowledge.js';
import type { Fault } from './subgraph.js';

/** `case.json`. */
export interface CaseNotes {
  /** What the case guarantees. */
  title: string;
  /** The rule or the section of a specification that makes the answer right. */
  rule: string;
  /** Which operation of the document runs, where it has several. */
  operationName?: string;
  /** Which subgraphs fail, and how. */
  faults?: Record<string, Fault>;
  /** Why one server with all the data would answer something else; else the test compares with it. */
  unlikeOneServer?: string;
  /** `known wrong: ...`, with what comes of a plan of Apollo's instead of the answer. */
  apolloPlanner?: string;
}

export interface Answer {
  data?: unknown;
  /** Messages are compared where the answer gives them: those of the gateway's own are not part of the contract. */
  errors?: { message?: string; path?: (string | number)[]; code: string }[];
}

export interface Case {
  name: string;
  notes: CaseNotes;
  query: string;
  runs: { variables: Record<string, unknown>; answer: Answer }[];
}

export interface Family {
  name: string;
  subgraphs: { name: string; sdl: DocumentNode }[];
  data: GraphData;
  implementations: Implementations;
  cases: Case[];
}

const directory = path.join(import.meta.dirname, '../cases');

const header = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ${JSON.stringify(
  'key shareable external requires provides override inaccessible tag interfaceObject'
    .split(' ')
    .map((name) => `@${name}`),
)})`;

/** Every family, by name. */
export const readFamilies = (): Family[] =>
  readdirSync(directory).map((name) => readFamily(path.join(directory, name)));

/** Reads one family's subgraphs, data and cases from its folder. */
export function readFamily(folder: string): Family {
  const entries = readdirSync(folder, { withFileTypes: true });
  const subgraphs = entries
    .filter((entry) => entry.name.endsWith('.graphql'))
    .map((entry) => ({
      name: path.basename(entry.name, '.graphql'),
      sdl: parse(`${header}\n${readFileSync(path.join(folder, entry.name), 'utf8')}`),
    }));
  return {
    name: path.basename(folder),
    subgraphs,
    data: readJson(path.join(folder, 'data.json')) as GraphData,
    implementations: implementationsIn(subgraphs.map(({ sdl }) => sdl)),
    cases: entries.filter((entry) => entry.isDirectory()).map((entry) => readCase(path.join(folder, entry.name))),
  };
}

function readCase(folder: string): Case {
  const answer = readJson(path.join(folder, 'answer.json')) as Answer | Answer[];
  const variablesFile = path.join(folder, 'variables.json');
  const variables = existsSync(variablesFile) ? readJson(variablesFile) : {};
  const answers = Array.isArray(answer) ? answer : [answer];
  const given = Array.isArray(variables) ? variables : [variables];
  if (answers.length !== given.length) {
    throw new Error(`${folder} has ${given.length} sets of variables and ${answers.length} answers.`);
  }
  return {
    name: path.basename(folder),
    notes: readJson(path.join(folder, 'case.json')) as CaseNotes,
    query: readFileSync(path.join(folder, 'query.graphql'), 'utf8'),
    runs: given.map((each, index) => ({ variables: each, answer: answers[index]! })),
  };
}

const readJson = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'));
