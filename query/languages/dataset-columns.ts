import type { ColumnType } from '../../datasets/types.js';
import type { PlanColumn, ScalarType } from '../plan/types.js';
import type { QueryableDataset } from '../prepared-query.js';

const planTypes: Record<ColumnType, ScalarType> = {
  STRING: 'string',
  INT: 'long',
  LONG: 'long',
  REAL: 'real',
  BOOLEAN: 'bool',
  DATETIME: 'datetime',
  IP: 'string',
  JSON: 'dynamic',
};

/** A dataset's columns as a plan has them: the declared ones, then `attributes` with everything else that events had. */
export const datasetColumns = ({ columns }: QueryableDataset): PlanColumn[] => [
  ...columns.map(({ name, type }) => ({ name, type: planTypes[type] })),
  { name: 'attributes', type: 'dynamic' },
];
