import { formatBytes } from '@caretaker/kernel/units.ts'
import { FIRST_LINE, MAX_CONFIG_BYTES } from './config.ts'
import type { Problem } from './problem.ts'

/** C0 and C1 controls, line separators, byte order marks, and marks that change the direction of what is shown. */
const INVISIBLE =
  // oxlint-disable-next-line no-control-regex
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/u
/** PyYAML, and so cloud-init, accepts no half of a surrogate pair. */
const LONE_SURROGATE = /\p{Surrogate}/u

/** What makes the text unusable before it is read as YAML: size, first line, characters that nobody sees. */
export function checkSourceText(text: string): Problem | undefined {
  const bytes = Buffer.byteLength(text)
  if (bytes > MAX_CONFIG_BYTES) return tooLarge(bytes)
  const firstLine = /^[^\r\n]*/.exec(text)?.[0] ?? ''
  if (firstLine.trimEnd() !== FIRST_LINE) {
    return {
      code: 'CONFIG_SYNTAX',
      why: `the first line must be "${FIRST_LINE}", so that cloud-init accepts the same file as user-data${
        firstLine.startsWith('\ufeff') ? '; it begins with an invisible byte order mark' : ''
      }`,
      next: `Make "${FIRST_LINE}" the first line, with nothing before it`,
      line: 1,
      column: 1,
    }
  }
  const found = INVISIBLE.exec(text) ?? LONE_SURROGATE.exec(text)
  if (found === null) return undefined
  const before = text.slice(0, found.index)
  const line = before.split('\n').length
  const code = (found[0].codePointAt(0) as number).toString(16).toUpperCase().padStart(4, '0')
  return {
    code: 'CONFIG_SYNTAX',
    why: `an invisible character (U+${code}) stands in the text`,
    next: `Remove it from line ${line}`,
    line,
    column: found.index - before.lastIndexOf('\n'),
  }
}

/** The problem of a config that is larger than {@link MAX_CONFIG_BYTES}. */
export function tooLarge(bytes: number): Problem {
  return {
    code: 'CONFIG_TOO_LARGE',
    why: `it has ${formatBytes(bytes)}, more than ${formatBytes(MAX_CONFIG_BYTES)} (what can be printed as QR sheets)`,
    next: 'Move large values out of the config: into the application, or into a file it reads',
    line: 1,
    column: 1,
  }
}
