/** Finds the objects of the growing answer that a plan's path leads to. */
import type { Path } from '../planning/plan.js';
import { matchesAny, type TypeMatcher } from './type-matcher.js';

export type JsonObject = Record<string, unknown>;
export type ResponsePath = (string | number)[];

type Step = { key: string } | { each: true } | { onTypes: ReadonlySet<string> };

/** A plan's path, ready to be walked. */
export interface CompiledPath {
  /** Calls `found` with every object at the path; nulls and what is missing are passed over. */
  collect(root: unknown, found: (target: JsonObject) => void): void;
  /** Every object with its response path: for errors, as it costs more. */
  locate(root: unknown): { target: JsonObject; path: ResponsePath }[];
  /** The response keys in front of the first list. */
  prefix: ResponsePath;
}

export function compilePath(path: Path, matcher: TypeMatcher): CompiledPath {
  // A list of lists is walked as one, whether its planner says so once or for every level.
  const distinct = path.filter((segment, index) => segment !== '@' || path[index - 1] !== '@');
  const steps = distinct.map((segment): Step => {
    if (segment === '@') return { each: true };
    return typeof segment === 'string' ? { key: segment } : { onTypes: matchesAny(matcher, segment.onTypes) };
  });
  const keys = path.slice(0, path.includes('@') ? path.indexOf('@') : path.length);
  return {
    collect: compileCollect(steps),
    locate: (root) => {
      const located: { target: JsonObject; path: ResponsePath }[] = [];
      locate(root, steps, 0, [], located);
      return located;
    },
    prefix: keys.filter((key) => typeof key === 'string'),
  };
}

/** Loops within loops with constant keys: every entity fetch of every request walks the whole answer so far. */
function compileCollect(steps: Step[]): CompiledPath['collect'] {
  const names: string[] = [];
  const values: unknown[] = [];
  let close = '';
  let code = '';
  for (const [index, step] of steps.entries()) {
    const [from, to] = [`v${index}`, `v${index + 1}`];
    if ('each' in step) {
      code += `if(Array.isArray(${from}))for(let i${index}=0,l${index}=flat(${from});i${index}<l${index}.length;i${index}++){const ${to}=l${index}[i${index}];`;
    } else if ('key' in step) {
      code += `if(${from}!==null&&${from}!==undefined){const ${to}=${from}[${JSON.stringify(step.key)}];`;
    } else {
      names.push(`t${index}`);
      values.push((value: JsonObject) => satisfies(step.onTypes, value));
      code += `if(${from}!==null&&${from}!==undefined&&t${index}(${from})){const ${to}=${from};`;
    }
    close += '}';
  }
  const last = `v${steps.length}`;
  code += `if(typeof ${last}==='object'&&${last}!==null&&!Array.isArray(${last}))found(${last});${close}`;
  // Everything in the text is a JSON string or a name made here.
  return new Function('flat', ...names, `return function(v0,found){${code}}`)(
    flat,
    ...values,
  ) as CompiledPath['collect'];
}

/** The items of a list, or of the lists in it. */
function flat(list: unknown[]): unknown[] {
  const first = list.find((item) => item !== null && item !== undefined);
  return Array.isArray(first) ? list.flat(Number.POSITIVE_INFINITY) : list;
}

/** Planners write a type condition also where the type is known, and then do not fetch its name. */
const satisfies = (onTypes: ReadonlySet<string>, { __typename: name }: JsonObject): boolean =>
  name === undefined || onTypes.has(name as string);

function locate(
  value: unknown,
  steps: Step[],
  index: number,
  path: ResponsePath,
  located: { target: JsonObject; path: ResponsePath }[],
): void {
  if (value === null || typeof value !== 'object') return;
  const step = steps[index];
  if (!step) {
    if (!Array.isArray(value)) located.push({ target: value as JsonObject, path });
  } else if ('each' in step) {
    if (!Array.isArray(value)) return;
    for (const [item, child] of value.entries()) {
      locate(child, steps, Array.isArray(child) ? index : index + 1, [...path, item], located);
    }
  } else if ('key' in step) {
    locate((value as JsonObject)[step.key], steps, index + 1, [...path, step.key], located);
  } else if (satisfies(step.onTypes, value as JsonObject)) {
    locate(value, steps, index + 1, path, located);
  }
}
