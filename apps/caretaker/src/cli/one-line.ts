/** A text of others for one line of a terminal: line ends become blanks, control characters question marks. */
export function oneLine(text: string): string {
  return text
    .replaceAll(/\s*[\r\n]+\s*/g, ' ')
    .replaceAll(/\p{Cc}/gu, '?')
    .trimEnd()
}
