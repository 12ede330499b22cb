import { printable } from '@caretaker/kernel/printable.ts'

/** As much as the service page takes, in characters. */
const LONGEST = 2000

/** Addresses, which may name a repository or a user, then absolute paths, then numbers of processes. */
const NOT_FOR_VISITORS: readonly (readonly [RegExp, string])[] = [
  [/\b[a-z][a-z0-9+.-]*:\/\/[^\s"']+/gi, '…'],
  [/[^\s"']+@[^\s"':]+:[^\s"']+/g, '…'],
  [/(^|[\s"'(=,])\/[^\s"',;)]+/g, '$1…'],
  [/\bprocess \d+/gi, 'a process'],
]

/**
 * The sentence of what failed as the service page may show it to the whole internet: without the reason, which quotes
 * logs, and without what tells of the inside of the machine.
 */
export function visitorSentence(what: string): string {
  const text = NOT_FOR_VISITORS.reduce(
    (shown, [pattern, instead]) => shown.replaceAll(pattern, instead),
    what,
  )
  return publicText(text)
}

/** A reason that a person wrote for visitors: as it is, but for what a page cannot show. */
export function publicText(text: string): string {
  return printable(text).slice(0, LONGEST)
}
