/** The steps of a JSON path such as `$.a["b c"][0]`, or undefined where the text is no such path. */
export function jsonPath(text: string): (string | number)[] | undefined {
  if (!text.startsWith('$')) return undefined;
  const steps: (string | number)[] = [];
  let rest = text.slice(1);
  while (rest !== '') {
    const step = /^(?:\.([\w-]+)|\[(\d{1,9})\]|\.?\[(?:"([^"\\]*)"|'([^'\\]*)')\])/.exec(rest);
    if (step === null) return undefined;
    const [whole, name, index, quoted, singleQuoted] = step;
    steps.push(index === undefined ? (name ?? quoted ?? singleQuoted)! : Number(index));
    rest = rest.slice(whole.length);
  }
  return steps;
}
