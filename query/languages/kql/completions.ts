/** What an editor offers in a KQL text: Kusto's completions without what is not supported here. */

import { functions } from '../../plan/functions/index.js';
import type { QueryableDataset } from '../../prepared-query.js';
import type { Completion } from '../completions.js';
import { describeAggregate, isKnownAggregate } from './aggregates.js';
import { isKnownFunction } from './calls.js';
import { type KustoCompletionItem, loadKusto } from './kusto.js';
import { operatorDescriptions } from './operator-descriptions.js';
import { outsideFunctions } from './refusals.js';
import { kustoGlobals } from './symbols.js';

/** Longer texts get no completions: an editor asks at each key. */
const maxCharacters = 20_000;

/** The completions at an offset of a text, in the order in which Kusto ranks them. */
export function completeKql(text: string, offset: number, datasets: readonly QueryableDataset[]): Completion[] {
  if (text.length > maxCharacters) return [];
  const { language, toArray } = loadKusto();
  const service = new language.Editor.KustoCodeService.$ctor1(text, kustoGlobals(datasets));
  const at = Math.min(Math.max(0, Math.trunc(offset)), text.length);
  const { Items, EditStart, EditLength } = service.GetCompletionItems(at);
  const place = { start: EditStart, end: EditStart + EditLength };
  return toArray(Items).flatMap((item) => completionOf(item, datasets, place) ?? []);
}

function completionOf(
  { Kind, DisplayText }: KustoCompletionItem,
  datasets: readonly QueryableDataset[],
  place: { start: number; end: number },
): Completion | undefined {
  const { CompletionKind: kinds } = loadKusto().language.Editor;
  const plain = (kind: Completion['kind'], description: string): Completion => ({
    ...{ label: DisplayText, kind, description, insert: DisplayText },
    ...place,
  });
  switch (Kind) {
    case kinds.Column:
      return plain('COLUMN', columnDescription(DisplayText, datasets));
    case kinds.Table:
      return plain('TABLE', tableDescription(DisplayText, datasets));
    case kinds.Variable:
    case kinds.Parameter:
      return plain('NAME', '');
    case kinds.LocalFunction:
    case kinds.BuiltInFunction:
    case kinds.AggregateFunction:
      return called(DisplayText, Kind === kinds.AggregateFunction, Kind === kinds.LocalFunction, place);
    case kinds.QueryPrefix:
    case kinds.TabularPrefix: {
      const description = operatorDescriptions[DisplayText];
      return description === undefined ? undefined : plain('OPERATOR', description);
    }
    case kinds.ScalarInfix:
      return plain('OPERATOR', Object.hasOwn(functions, DisplayText) ? functions[DisplayText]!.description : '');
    case kinds.Keyword:
    case kinds.Syntax:
    case kinds.ScalarPrefix:
    case kinds.TabularSuffix:
    case kinds.RenderChart:
    case kinds.ScalarType:
      return plain('KEYWORD', '');
    default:
      return undefined;
  }
}

/** A function's label has its parameters: `bin(value, roundTo)`. */
function called(
  label: string,
  isAggregate: boolean,
  isOwn: boolean,
  place: { start: number; end: number },
): Completion | undefined {
  const [name = '', parameters = ''] = label.split('(', 2);
  const isKnown =
    isOwn || (isAggregate ? isKnownAggregate(name) : isKnownFunction(name) && !outsideFunctions.has(name));
  if (!isKnown) return undefined;
  const insert = parameters === ')' ? `${name}()` : `${name}(`;
  const description = isOwn ? '' : isAggregate ? describeAggregate(name) : (functions[name]?.description ?? '');
  return { label, kind: isAggregate ? 'AGGREGATE' : 'FUNCTION', description, insert, ...place };
}

/** Where several datasets have the column, the first one's. */
function columnDescription(name: string, datasets: readonly QueryableDataset[]): string {
  for (const { columns } of datasets) {
    const found = columns.find((each) => each.name === name);
    if (found !== undefined) return found.description;
  }
  return name === 'attributes' ? 'Every field of the event that no column has, as a dynamic.' : '';
}

function tableDescription(name: string, datasets: readonly QueryableDataset[]): string {
  const found = datasets.find((each) => each.name === name || each.aliases.includes(name));
  if (found === undefined) return '';
  return found.name === name ? 'A dataset.' : `The dataset ${found.name}.`;
}
