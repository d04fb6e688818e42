/** The longest message of an error. Names in it are the caller's, and may be as long as a text. */
const maxCharacters = 600;

/** A message that is short enough to be read: of a longer one its start and its end, where the advice stands. */
export function brief(message: string): string {
  if (message.length <= maxCharacters) return message;
  // Whole characters: half of a pair would be no text.
  const characters = [...message];
  return `${characters.slice(0, maxCharacters / 2).join('')} … ${characters.slice(-maxCharacters / 4).join('')}`;
}
