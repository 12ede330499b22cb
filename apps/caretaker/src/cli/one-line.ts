import { printable } from '@caretaker/kernel/printable.ts'

/** A text of others for one line of a terminal: line ends and tabs become blanks, the rest is {@link printable}. */
export function oneLine(text: string): string {
  return printable(text.replaceAll(/\s*[\r\n]+\s*/g, ' ').replaceAll('\t', ' ')).trimEnd()
}
