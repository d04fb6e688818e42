/** A figure as OpenSearch writes it in keys: `5.0`, `0.25`, `2.0E7`. */
export function doubleText(figure: number): string {
  const size = Math.abs(figure);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) {
    const [digits, exponent] = figure.toExponential().split('e');
    return `${withFraction(digits!)}E${Number(exponent)}`;
  }
  return withFraction(String(figure));
}

const withFraction = (digits: string): string => (digits.includes('.') ? digits : `${digits}.0`);
