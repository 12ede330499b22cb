/** A text of others for one line of a terminal: line ends become blanks, control characters question marks. */
export function oneLine(text: string): string {
  return text
    .replaceAll(/\s*[\r\n]+\s*/g, ' ')
    .replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '?')
    .trimEnd()
}
