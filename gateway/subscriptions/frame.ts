/** WebSocket frames of one text message as a server sends it (RFC 6455, section 5.2): unmasked and in one piece. */

const finalText = 0x81;

/** The head of a frame, with one character for each byte. @param length of the message, in bytes */
export function frameHead(length: number): string {
  if (length < 126) return String.fromCharCode(finalText, length);
  if (length < 65_536) return String.fromCharCode(finalText, 126, length >> 8, length & 255);
  const high = Math.floor(length / 2 ** 32);
  const bytes = [high, length >>> 0].flatMap((word) => [
    word >>> 24,
    (word >> 16) & 255,
    (word >> 8) & 255,
    word & 255,
  ]);
  return String.fromCharCode(finalText, 127, ...bytes);
}

/** Text with one character for each byte of its UTF-8: what `write(…, 'latin1')` sends as those bytes. */
export const toCharacters = (text: string): string => Buffer.from(text).toString('latin1');
