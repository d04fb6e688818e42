/**
 * The part of PostgreSQL's grammar that a query may use, as the parser's tree spells it: every kind of node, and every
 * field of it. What is not written here is refused by name, so a construct that a later grammar adds is refused until
 * somebody has thought about it.
 */

/**
 * What stands in a field: `-` a plain value; `*` one node or a list of them, each wrapped in its kind; otherwise the
 * kind of the bare node that stands there.
 */
type Field = '-' | '*' | string;

const kind = (values: string, nodes = '', bare: Record<string, string> = {}): Record<string, Field> => ({
  location: '-',
  ...Object.fromEntries(words(values).map((name) => [name, '-'])),
  ...Object.fromEntries(words(nodes).map((name) => [name, '*'])),
  ...bare,
});

function words(list: string): string[] {
  return list.split(/\s+/).filter(Boolean);
}

export const grammar: Record<string, Record<string, Field>> = {
  // Queries and what they read from
  SelectStmt: kind(
    'groupDistinct limitOption op all',
    `distinctClause targetList fromClause whereClause groupClause havingClause windowClause valuesLists sortClause
     limitOffset limitCount`,
    { withClause: 'WithClause', larg: 'SelectStmt', rarg: 'SelectStmt' },
  ),
  WithClause: kind('recursive', 'ctes'),
  CommonTableExpr: kind('ctename ctematerialized', 'aliascolnames ctequery', {
    search_clause: 'CTESearchClause',
    cycle_clause: 'CTECycleClause',
  }),
  CTESearchClause: kind('search_breadth_first search_seq_column', 'search_col_list'),
  CTECycleClause: kind('cycle_mark_column cycle_path_column', 'cycle_col_list cycle_mark_value cycle_mark_default'),
  RangeVar: kind('catalogname schemaname relname inh relpersistence', '', { alias: 'Alias' }),
  RangeSubselect: kind('lateral', 'subquery', { alias: 'Alias' }),
  RangeFunction: kind('lateral ordinality is_rowsfrom', 'functions coldeflist', { alias: 'Alias' }),
  JoinExpr: kind('jointype isNatural', 'larg rarg usingClause quals', { join_using_alias: 'Alias', alias: 'Alias' }),
  Alias: kind('aliasname', 'colnames'),
  ColumnDef: kind('colname is_local', '', { typeName: 'TypeName', collClause: 'CollateClause' }),
  ResTarget: kind('name', 'val'),
  SortBy: kind('sortby_dir sortby_nulls', 'node useOp'),
  GroupingSet: kind('kind', 'content'),
  WindowDef: kind('name refname frameOptions', 'partitionClause orderClause startOffset endOffset'),

  // Expressions
  ColumnRef: kind('', 'fields'),
  A_Star: kind(''),
  A_Const: kind('isnull', '', {
    ival: 'Integer',
    fval: 'Float',
    boolval: 'Boolean',
    sval: 'String',
    bsval: 'BitString',
  }),
  A_Expr: kind('kind rexpr_list_start rexpr_list_end', 'name lexpr rexpr'),
  A_ArrayExpr: kind('list_start list_end', 'elements'),
  A_Indirection: kind('', 'arg indirection'),
  A_Indices: kind('is_slice', 'lidx uidx'),
  BoolExpr: kind('boolop', 'args'),
  NullTest: kind('nulltesttype', 'arg'),
  BooleanTest: kind('booltesttype', 'arg'),
  CaseExpr: kind('', 'arg args defresult'),
  CaseWhen: kind('', 'expr result'),
  CoalesceExpr: kind('', 'args'),
  MinMaxExpr: kind('op', 'args'),
  RowExpr: kind('row_format', 'args'),
  SubLink: kind('subLinkType', 'testexpr operName subselect'),
  FuncCall: kind(
    'agg_within_group agg_star agg_distinct func_variadic funcformat',
    'funcname args agg_order agg_filter',
    { over: 'WindowDef' },
  ),
  NamedArgExpr: kind('name argnumber', 'arg'),
  GroupingFunc: kind('', 'args'),
  SQLValueFunction: kind('op typmod'),
  TypeCast: kind('', 'arg', { typeName: 'TypeName' }),
  TypeName: kind('typemod', 'names typmods arrayBounds'),
  CollateClause: kind('', 'arg collname'),

  // SQL/JSON
  JsonFormat: kind('format_type encoding'),
  JsonReturning: kind('typmod', '', { format: 'JsonFormat' }),
  JsonOutput: kind('', '', { typeName: 'TypeName', returning: 'JsonReturning' }),
  JsonValueExpr: kind('', 'raw_expr', { format: 'JsonFormat' }),
  JsonBehavior: kind('btype coerce', 'expr'),
  JsonIsPredicate: kind('item_type unique_keys', 'expr', { format: 'JsonFormat' }),
  JsonArgument: kind('name', '', { val: 'JsonValueExpr' }),
  JsonFuncExpr: kind('op column_name wrapper quotes', 'pathspec passing', {
    context_item: 'JsonValueExpr',
    output: 'JsonOutput',
    on_empty: 'JsonBehavior',
    on_error: 'JsonBehavior',
  }),
  JsonKeyValue: kind('', 'key', { value: 'JsonValueExpr' }),
  JsonParseExpr: kind('unique_keys', '', { expr: 'JsonValueExpr', output: 'JsonOutput' }),
  JsonScalarExpr: kind('', 'expr', { output: 'JsonOutput' }),
  JsonSerializeExpr: kind('', '', { expr: 'JsonValueExpr', output: 'JsonOutput' }),
  JsonObjectConstructor: kind('absent_on_null unique', 'exprs', { output: 'JsonOutput' }),
  JsonArrayConstructor: kind('absent_on_null', 'exprs', { output: 'JsonOutput' }),
  JsonArrayQueryConstructor: kind('absent_on_null', 'query', { output: 'JsonOutput', format: 'JsonFormat' }),
  JsonAggConstructor: kind('', 'agg_filter agg_order', { output: 'JsonOutput', over: 'WindowDef' }),
  JsonObjectAgg: kind('absent_on_null unique', '', { constructor: 'JsonAggConstructor', arg: 'JsonKeyValue' }),
  JsonArrayAgg: kind('absent_on_null', '', { constructor: 'JsonAggConstructor', arg: 'JsonValueExpr' }),
  JsonTable: kind('lateral', 'passing columns', {
    context_item: 'JsonValueExpr',
    pathspec: 'JsonTablePathSpec',
    on_error: 'JsonBehavior',
    alias: 'Alias',
  }),
  JsonTablePathSpec: kind('name name_location', 'string'),
  JsonTableColumn: kind('coltype name wrapper quotes', 'columns', {
    typeName: 'TypeName',
    pathspec: 'JsonTablePathSpec',
    format: 'JsonFormat',
    on_empty: 'JsonBehavior',
    on_error: 'JsonBehavior',
  }),

  // Leaves
  List: kind('', 'items'),
  String: kind('sval'),
  Integer: kind('ival'),
  Float: kind('fval'),
  Boolean: kind('boolval'),
  BitString: kind('bsval'),
};
