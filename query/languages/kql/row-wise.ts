/** Whether a query gives for new rows alone what it would give for them in a run over everything. */
import type { Plan } from '../../plan/types.js';
import { partsWithin } from '../../plan/walk.js';
import type { RowWise } from '../../prepared-query.js';
import type { SourceText } from '../../source-text.js';
import type { SyntaxNode } from './syntax.js';

/** What keeps the query from being row-wise, and where in the text. */
export interface Obstacle {
  reason: string;
  start: number;
}

const rowWiseOperators = /^(Filter|Extend|Project\w*|Parse|ParseWhere|As|Render)Operator$/;
/** Their value hangs on when they are asked, or on nothing. */
const changing = new Set(['now', 'ago', 'rand', 'new_guid']);

/** What about a step keeps the query from being row-wise; undefined where nothing does. */
export function operatorObstacle({ kind, parts }: SyntaxNode): string | undefined {
  if (rowWiseOperators.test(kind)) return undefined;
  const keyword = parts.Keyword ?? Object.values(parts).find((part) => part.kind.endsWith('Keyword'));
  return `the operator ${keyword?.text ?? kind}`;
}

/** What about a function keeps a query from being row-wise. */
export const functionObstacle = (name: string): string | undefined =>
  changing.has(name) ? `the time-dependent or volatile function ${name}()` : undefined;

/** The plan decides; the obstacles that were met on the way say why, and where. */
export function rowWise(plan: Plan, obstacles: readonly Obstacle[], source: SourceText): RowWise {
  if (isRowWise(plan)) return { ok: true };
  const [first] = obstacles.toSorted((a, b) => a.start - b.start);
  return {
    ok: false,
    reason: first?.reason ?? 'more than the one row in hand is read',
    ...source.position(first?.start ?? 0),
  };
}

function isRowWise(plan: Plan): boolean {
  let scans = 0;
  for (const part of partsWithin(plan)) {
    if ('op' in part) {
      if (part.op === 'scan') scans += 1;
      else if (part.op !== 'filter' && part.op !== 'extend' && part.op !== 'project') return false;
    } else if (part.kind === 'call' && changing.has(part.fn)) return false;
  }
  return scans === 1;
}
