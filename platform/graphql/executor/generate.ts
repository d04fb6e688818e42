/**
 * Writes the JavaScript that executes selections: properties are read and answers are built at places of their own in
 * the code, where the engine knows their shapes. Names get into the code as JSON strings, everything else as constants.
 */
import {
  defaultFieldResolver,
  type GraphQLAbstractType,
  GraphQLBoolean,
  GraphQLFloat,
  GraphQLID,
  GraphQLInt,
  type GraphQLLeafType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  GraphQLString,
  getNullableType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  TypeNameMetaFieldDef,
} from 'graphql';
import type { Execution } from './execution.js';
import type { Field } from './field.js';
import { runtime } from './runtime.js';

/** Makes what executes the objects that a field answers. */
export interface Selections {
  ofObject(field: Field, type: GraphQLObjectType): object;
  ofAbstract(field: Field, type: GraphQLAbstractType): object;
}

export interface SerialField {
  responseName: string;
  execute: (execution: Execution, source: unknown) => unknown;
}

/** Whether a value is one that serializing leaves as it is. */
const isSerialized = new Map<unknown, (value: string) => string>([
  [GraphQLString, (value) => `typeof ${value} === 'string'`],
  [GraphQLID, (value) => `typeof ${value} === 'string'`],
  [GraphQLBoolean, (value) => `typeof ${value} === 'boolean'`],
  [GraphQLInt, (value) => `typeof ${value} === 'number' && (${value} | 0) === ${value}`],
  [GraphQLFloat, (value) => `typeof ${value} === 'number' && ${value} - ${value} === 0`],
]);

const isPromise = (value: string): string => `${value} != null && typeof ${value}.then === 'function'`;

class Generator {
  readonly constants: unknown[] = [...Object.values(runtime)];
  readonly names: string[] = Object.keys(runtime);
  readonly functions: string[] = [];

  constructor(private readonly selections: Selections) {}

  bind(value: unknown): string {
    const name = `$${this.constants.push(value)}`;
    this.names.push(name);
    return name;
  }

  /** Adds a function and answers its name. */
  define(parameters: string, body: string): string {
    const name = `f${this.functions.length}`;
    this.functions.push(`function ${name}(${parameters}) {\n${body}\n}`);
    return name;
  }

  evaluate(result: string): unknown {
    const code = `'use strict';\n${this.functions.join('\n')}\nreturn ${result};`;
    return new Function(...this.names, code)(...this.constants);
  }

  /** A function (execution, value, prev, key, info) that completes values of the type. */
  completer(field: Field, fieldName: string, type: GraphQLOutputType, typename: string | undefined): string {
    const nullable = getNullableType(type);
    const start = `if (value == null) ${isNonNullType(type) ? `throw missing(${fieldName})` : 'return null'};
      if (value instanceof Error) throw value;`;
    const parameters = 'execution, value, prev, key, info';
    if (isLeafType(nullable)) return this.define(parameters, `${start}\n${this.serialize(nullable)}`);
    if (isListType(nullable)) {
      const item = this.itemCompleter(field, fieldName, nullable.ofType);
      return this.define(
        parameters,
        `${start}
        if (typeof value !== 'object' || typeof value[Symbol.iterator] !== 'function') throw notIterable(${fieldName});
        const path = { prev, key, typename: ${JSON.stringify(typename)} };
        if (!Array.isArray(value) || value[Symbol.iterator] !== arrayIterator) {
          return iterate(value, ${item}, execution, path, info);
        }
        const results = [];
        let isPending = false;
        try {
          for (let index = 0; index < value.length; index++) {
            const result = ${item}(execution, value[index], path, index, info);
            if (${isPromise('result')}) isPending = true;
            results.push(result);
          }
        } catch (error) {
          if (isPending) silence(results);
          throw error;
        }
        return isPending ? Promise.all(results) : results;`,
      );
    }
    const selection = isObjectType(nullable)
      ? this.selections.ofObject(field, nullable)
      : this.selections.ofAbstract(field, nullable);
    return this.define(
      parameters,
      `${start}\nreturn ${this.bind(selection)}.execute(execution, value, prev, key, info);`,
    );
  }

  private serialize(type: GraphQLLeafType): string {
    const name = this.bind(type);
    return `const result = ${name}.serialize(value);
      if (result == null) throw unserializable(${name}, value, result);
      return result;`;
  }

  /** A function (execution, value, path, index, info) that completes an item of a list, its failure included. */
  private itemCompleter(field: Field, fieldName: string, type: GraphQLOutputType): string {
    const path = '{ prev: path, key: index, typename: undefined }';
    const complete = this.completer(field, fieldName, type, undefined);
    const isDone = isSerialized.get(getNullableType(type));
    return this.define(
      'execution, value, path, index, info',
      `try {
        ${isDone ? `if (${isDone('value')}) return value;` : ''}
        const result = ${isPromise('value')}
          ? later(value, ${complete}, execution, path, index, info)
          : ${complete}(execution, value, path, index, info);
        return ${isPromise('result')}
          ? rescue(result, execution, ${fieldName}, ${isNonNullType(type)}, ${path})
          : result;
      } catch (error) {
        return failAt(execution, error, ${fieldName}.nodes, ${isNonNullType(type)}, ${path});
      }`,
    );
  }

  /** Statements that execute a field of `source` and assign its part of the answer to `target`. */
  field(field: Field, target: string, parentPath: string): string {
    const { definition, responseName, parentType, isNonNull } = field;
    const nullable = getNullableType(definition.type);
    const name = this.bind(field);
    const key = JSON.stringify(responseName);
    const path = `{ prev: ${parentPath}, key: ${key}, typename: ${JSON.stringify(parentType.name)} }`;
    const complete = this.completer(field, name, definition.type, parentType.name);
    const isDone = isSerialized.get(nullable);
    const { isConstant } = field.arguments;
    const resolver = definition.resolve ?? defaultFieldResolver;
    const isDefault = resolver === defaultFieldResolver;
    const makesInfo = field.needsInfo || !isDefault;
    const info = makesInfo ? 'info' : 'undefined';
    const property = `object[${JSON.stringify(definition.name)}]`;
    const readArguments = definition.args.length === 0 ? '{}' : `${name}.arguments.read(execution.variableValues)`;
    const args = isConstant ? readArguments : 'args';
    const resolve = isDefault ? property : `${this.bind(resolver)}(source, ${args}, execution.contextValue, info)`;
    const callProperty = isDefault
      ? `if (typeof value === 'function') {
          value = ${property}(${args}, execution.contextValue, ${makesInfo ? 'info' : `${name}.info(execution, ${path})`});
        }`
      : '';
    return `try {
        ${makesInfo ? `const info = ${name}.info(execution, ${path});` : ''}
        ${isConstant ? '' : `const args = ${readArguments};`}
        let value = ${resolve};
        ${isDone ? `if (!(${isDone('value')}))` : ''} {
          ${callProperty}
          value = ${isPromise('value')}
            ? later(value, ${complete}, execution, ${parentPath}, ${key}, ${info})
            : ${complete}(execution, value, ${parentPath}, ${key}, ${info});
          if (${isPromise('value')}) {
            value = rescue(value, execution, ${name}, ${isNonNull}, ${path});
            if (${isPromise('value')}) isPending = true;
          }
        }
        ${target} = value;
      } catch (error) {
        ${target} = failAt(execution, error, ${name}.nodes, ${isNonNull}, ${path});
      }`;
  }
}

/** In an object literal. `__proto__` as an alias is a property like others, which it is only where it is computed. */
const propertyName = (name: string): string => (name === '__proto__' ? `['__proto__']` : JSON.stringify(name));

const isTypename = ({ definition }: Field): boolean => definition === TypeNameMetaFieldDef;

const sourceObject = `const object = typeof source === 'object' && source !== null || typeof source === 'function' ? source : nothing;`;

/**
 * A function (execution, source, prev, key) that executes the fields on one source.
 * @param pathTypename the typename of the object's path; `root` where the object is the answer itself
 */
export function generateObject(
  fields: readonly Field[],
  type: GraphQLObjectType,
  pathTypename: string | undefined,
  selections: Selections,
): unknown {
  const generator = new Generator(selections);
  const targets = fields.map((_, index) => `v${index}`);
  const objectOf = (values: readonly string[]): string =>
    `{ ${fields.map(({ responseName }, index) => `${propertyName(responseName)}: ${values[index]}`).join(', ')} }`;
  const body = fields.map((field, index) =>
    isTypename(field) ? `v${index} = ${JSON.stringify(type.name)};` : generator.field(field, `v${index}`, 'path'),
  );
  const parts = `[${targets.join(', ')}]`;
  const build = generator.define('parts', `return ${objectOf(targets.map((_, index) => `parts[${index}]`))};`);
  const execute = generator.define(
    'execution, source, prev, key',
    `${sourceObject}
    const path = ${pathTypename === 'root' ? 'undefined' : `{ prev, key, typename: ${JSON.stringify(pathTypename)} }`};
    let ${['isPending = false', ...targets].join(', ')};
    try {
      ${body.join('\n')}
    } catch (error) {
      if (isPending) return abandon(${parts}, error);
      throw error;
    }
    if (isPending) return Promise.all(${parts}).then(${build});
    return ${objectOf(targets)};`,
  );
  return generator.evaluate(execute);
}

/** A function for each field, to be called one after the other. */
export function generateSerial(
  fields: readonly Field[],
  type: GraphQLObjectType,
  selections: Selections,
): SerialField[] {
  return fields.map((field) => {
    const generator = new Generator(selections);
    const body = isTypename(field)
      ? `result = ${JSON.stringify(type.name)};`
      : generator.field(field, 'result', 'undefined');
    const execute = generator.define(
      'execution, source',
      `${sourceObject}\nlet isPending, result;\n${body}\nreturn result;`,
    );
    return { responseName: field.responseName, execute: generator.evaluate(execute) as SerialField['execute'] };
  });
}
