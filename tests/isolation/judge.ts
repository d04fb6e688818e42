/** Judges answers: refused as they ought to be, or the same as for what does not exist. */
import type { Answer } from './doors.js';
import type { Target } from './targets.js';
import { textsOf } from './world.js';

interface GraphQLAnswer {
  data?: Record<string, unknown> | null;
  errors?: { message: string; extensions?: { code?: string } }[];
}

/** What is wrong with an answer that had to be refused with the code. */
export function faultOfRefusal(answer: Pick<Answer, 'body'>, target: Target, code: string): string | undefined {
  const { data, errors } = parseAnswer(answer.body);
  if (reaches(data, target)) return `the field was answered: ${answer.body.slice(0, 300)}`;
  if (!errors?.some((error) => error.extensions?.code === code)) return `no ${code}: ${answer.body.slice(0, 300)}`;
  return undefined;
}

/** The JSON of an answer, of a socket's message, or of an event. */
export function parseAnswer(body: string): GraphQLAnswer {
  const event = /^data:\s*(\{.*)$/m.exec(body)?.[1];
  const parsed = JSON.parse(event ?? (body === '' ? '{}' : body)) as Record<string, unknown>;
  if (parsed.type === 'error') return { errors: parsed.payload as NonNullable<GraphQLAnswer['errors']> };
  return (parsed.payload ?? parsed) as GraphQLAnswer;
}

/** Whether the data has a value at the end of the target's way. */
function reaches(data: unknown, { steps }: Target): boolean {
  let level: unknown[] = [data];
  for (const { field } of steps) {
    level = level
      .flat(5)
      .map((object) => (object as Record<string, unknown> | null | undefined)?.[field.name])
      .filter((value) => value !== null && value !== undefined);
  }
  return level.flat(5).length > 0;
}

/** The answer with what was asked for taken out, so that answers about different things compare. */
export const neutral = (text: string, asked: unknown): string =>
  [...new Set(textsOf([asked]))]
    .sort((one, other) => other.length - one.length)
    .reduce((rest, value) => rest.replaceAll(value, '<asked>').replaceAll(value.toLowerCase(), '<asked>'), text);

/**
 * What a mutation's answer says, without the ids, times, figures and lists of what it made: a job of one's own may have
 * its columns by then, or not yet. What is another's is found in it by its marks.
 */
export function outline(body: string): string {
  const mask = (value: unknown): unknown => {
    if (typeof value === 'boolean') return value;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'value';
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, mask(one)]));
  };
  const { data, errors } = parseAnswer(body);
  return JSON.stringify({ data: mask(data), errors });
}
