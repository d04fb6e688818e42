/** What is known of a query before it runs. Named as the API names it. */
export interface QueryReport {
  engine: 'POSTGRES' | 'OPENSEARCH';
  /** The steps, and where everything may be seen also what the engine makes of them. */
  text: string;
  /** The planner's guess where everything may be seen, else the next power of ten of the most rows; null: no bound. */
  estimatedRows: number | null;
  /** The planner's cost in its own unit; null where only bounds may be seen. */
  estimatedCost: number | null;
  /** Empty where only bounds may be seen, as the recommendations are. */
  indexesUsed: string[];
  recommendations: IndexRecommendation[];
  /** Whether it can run in time slices, newest first. */
  runsInSlices: boolean;
}

export interface IndexRecommendation {
  dataset: string;
  /** What the query filters by without an index. */
  columns: string[];
  /** Why, for people. */
  reason: string;
  /** What the database's owner would run. */
  statement: string;
}
