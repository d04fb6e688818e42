/** The arguments of a field, coerced as graphql-js does it, with all that is constant done beforehand. */
import {
  type FieldNode,
  type GraphQLArgument,
  type GraphQLField,
  getArgumentValues,
  getNullableType,
  isEnumType,
  isNonNullType,
  isScalarType,
  isSpecifiedScalarType,
  Kind,
  valueFromAST,
} from 'graphql';

type Values = Record<string, unknown>;

export interface FieldArguments {
  /** A new object of arguments. @throws GraphQLError where the variables do not fit */
  read(variables: Values): Values;
  /** Whether reading never fails and nothing of it can be noticed. */
  isConstant: boolean;
}

/** How one argument gets its value: without a variable it has the fallback, undefined for none. */
interface Step {
  name: string;
  variable: string | undefined;
  fallback: unknown;
  isNonNull: boolean;
}

export function compileArguments(field: GraphQLField<unknown, unknown>, node: FieldNode): FieldArguments {
  const byGraphqlJs = (variables: Values): Values => getArgumentValues(field, node, variables);
  const steps = field.args.map((argument) => stepOf(argument, node));
  if (steps.some((step) => step === 'unforeseen')) return { read: byGraphqlJs, isConstant: false };
  const known = (steps as (Step | undefined)[]).filter((step) => step !== undefined);
  const read = (variables: Values): Values => {
    const values: Values = {};
    for (const { name, variable, fallback, isNonNull } of known) {
      if (variable !== undefined && Object.hasOwn(variables, variable)) {
        const value = variables[variable];
        if (value === undefined || (value === null && isNonNull)) return byGraphqlJs(variables);
        values[name] = value;
      } else if (fallback !== undefined) {
        values[name] = fallback;
      } else if (isNonNull) {
        return byGraphqlJs(variables); // Throws its error.
      }
    }
    return values;
  };
  return { read, isConstant: known.every(({ variable }) => variable === undefined) };
}

/** Undefined for an argument that is never there; `unforeseen` where every call needs graphql-js. */
function stepOf(argument: GraphQLArgument, node: FieldNode): Step | undefined | 'unforeseen' {
  const { name, type, defaultValue } = argument;
  const isNonNull = isNonNullType(type);
  const value = node.arguments?.findLast((given) => given.name.value === name)?.value;
  if (name === '__proto__') return 'unforeseen';
  if (!value) {
    if (defaultValue === undefined) return isNonNull ? 'unforeseen' : undefined;
    return { name, variable: undefined, fallback: defaultValue, isNonNull };
  }
  if (value.kind === Kind.VARIABLE) return { name, variable: value.name.value, fallback: defaultValue, isNonNull };
  // A literal object or list has to be a new one for each call, and a custom scalar may read differently each time.
  const nullable = getNullableType(type);
  const isPure = value.kind === Kind.NULL || isEnumType(nullable) || isBuiltIn(nullable);
  const constant = isPure ? valueFromAST(value, type) : undefined;
  return constant === undefined ? 'unforeseen' : { name, variable: undefined, fallback: constant, isNonNull };
}

const isBuiltIn = (type: unknown): boolean => isScalarType(type) && isSpecifiedScalarType(type);
