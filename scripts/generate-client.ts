/** The client's types and documents, made by graphql-codegen from `codegen.yml`. */
import { generate, loadContext } from '@graphql-codegen/cli';
import { buildSchema, printSchema } from 'graphql';

/** @returns the generated files by path */
export async function generateClient(apiSdl: string): Promise<Map<string, string>> {
  const context = await loadContext('codegen.yml');
  context.updateConfig({ schema: printSchema(buildSchema(apiSdl)), silent: true });
  const outputs = await generate(context, false);
  return new Map(outputs.map(({ filename, content }: { filename: string; content: string }) => [filename, content]));
}
