import type { Scalar } from 'yaml'

const BOOLEAN = 'as true or false'

/**
 * Plain (unquoted) values that YAML 1.1 and YAML 1.2 read differently. cloud-init reads the file by 1.1, we by 1.2.
 * Source: the YAML 1.1 type repository (bool, int, float, timestamp) as PyYAML implements it.
 */
const AMBIGUOUS: readonly (readonly [RegExp, string])[] = [
  [/^(yes|no|on|off)$/i, BOOLEAN],
  [/^[-+]?0[0-9_]+$/, 'as an octal number'],
  [/^0b[01_]+$/i, 'as a binary number'],
  [/^[-+]?(0o[0-7]+|0x[0-9a-f_]+)$/i, 'in another base'],
  [/^[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?$/, 'as a number to the base 60'],
  [/^[-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?$/, 'as a number'],
  [/^\d{4}-\d{1,2}-\d{1,2}([Tt ].*)?$/, 'as a date'],
]

/** Why this scalar is not taken, if so: ambiguous when plain, or with control characters written as escapes. */
export function readScalar(node: Scalar): { why: string; next: string } | undefined {
  const { source = '', type, value } = node
  if (type === 'PLAIN') {
    const found = AMBIGUOUS.find(([pattern]) => source.length <= 64 && pattern.test(source))
    if (found?.[1] === BOOLEAN) {
      return {
        why: `${source} without quotes is a text here, but cloud-init reads it ${BOOLEAN}`,
        next: `Write true or false, or in quotes "${source}" for the text`,
      }
    }
    if (found) {
      return {
        why: `the value is not in quotes, and cloud-init reads it ${found[1]}, other than it is read here`,
        next: 'Write it in quotes if it is a text, else as a plain decimal number',
      }
    }
  }
  // oxlint-disable-next-line no-control-regex
  if (typeof value === 'string' && /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.test(value)) {
    return { why: 'the text holds a control character', next: 'Remove the escape that makes it' }
  }
  return undefined
}
