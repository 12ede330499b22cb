/** A text with variables, taken apart. */
export type Template = readonly (string | Variable)[]

interface Variable {
  readonly name: string
  readonly operator: '' | ':-' | '-' | ':?' | '?' | ':+' | '+'
  readonly operand: Template
}

/** A text whose variables get their values when a service starts; they are always set. */
export type LateText = readonly (string | { readonly variable: string })[]

/** Why a text with variables gives no value. */
export class InterpolationError extends Error {
  readonly next: string
  constructor(why: string, next: string) {
    super(why)
    this.name = 'InterpolationError'
    this.next = next
  }
}

const NAME = /[A-Za-z_][A-Za-z0-9_]*/y
const OPERATOR = /:-|:\?|:\+|-|\?|\+/y

/**
 * Takes apart `$VAR`, `${VAR}`, `${VAR:-default}`, `${VAR-default}`, `${VAR:?error}`, `${VAR?error}`,
 * `${VAR:+other}`, `${VAR+other}`, nested ones in the operand, and `$$` for a dollar sign, as the compose
 * specification says. A dollar sign before anything else stays as it is.
 * @throws InterpolationError when a brace is not closed or holds something else.
 */
export function parseTemplate(text: string): Template {
  const { parts, end } = parseUntil(text, 0, undefined)
  return end === text.length ? parts : [...parts, text.slice(end)]
}

/**
 * The text with the values put in.
 * @param lookup gives undefined for a variable that is not set.
 * @param onEmpty is told each variable that is not set and has no default; it gives an empty text.
 * @throws InterpolationError when a required variable has no value.
 */
export function evaluateTemplate(
  template: Template,
  lookup: (name: string) => string | undefined,
  onEmpty: (name: string) => void,
): string {
  return template.map((part) => (typeof part === 'string' ? part : evaluate(part, lookup, onEmpty))).join('')
}

/**
 * {@link evaluateTemplate}, but leaves the variables in that `isLate` says are known only when a service starts.
 * @throws InterpolationError when a required variable has no value.
 */
export function evaluateEarly(
  template: Template,
  lookup: (name: string) => string | undefined,
  onEmpty: (name: string) => void,
  isLate: (name: string) => boolean,
): LateText {
  return template.flatMap((part): LateText => {
    if (typeof part === 'string') return [part]
    const early = (): LateText => evaluateEarly(part.operand, lookup, onEmpty, isLate)
    if (isLate(part.name)) return part.operator.endsWith('+') ? early() : [{ variable: part.name }]
    const value = lookup(part.name)
    const isSet = part.operator.startsWith(':') ? value !== undefined && value !== '' : value !== undefined
    if (part.operator.endsWith('-') && !isSet) return early()
    if (part.operator.endsWith('+')) return isSet ? early() : []
    return [evaluate(part, lookup, onEmpty)]
  })
}

/** Every variable a template names, those in operands included. */
export function variablesIn(template: Template): readonly string[] {
  return template.flatMap((part) =>
    typeof part === 'string' ? [] : [part.name, ...variablesIn(part.operand)],
  )
}

function evaluate(
  variable: Variable,
  lookup: (name: string) => string | undefined,
  onEmpty: (name: string) => void,
): string {
  const value = lookup(variable.name)
  const operand = (): string => evaluateTemplate(variable.operand, lookup, onEmpty)
  const hasValue = variable.operator.startsWith(':')
    ? value !== undefined && value !== ''
    : value !== undefined
  switch (variable.operator) {
    case '':
      if (value === undefined) onEmpty(variable.name)
      return value ?? ''
    case ':-':
    case '-':
      return hasValue ? (value as string) : operand()
    case ':+':
    case '+':
      return hasValue ? operand() : ''
    case ':?':
    case '?': {
      if (hasValue) return value as string
      const reason = operand().trim()
      throw new InterpolationError(
        `it needs a value for ${variable.name}${reason === '' ? '' : `: ${reason}`}`,
        `Write "${variable.name}" under "environment" of the application in the config`,
      )
    }
  }
}

/** Parts up to the closing character, which is consumed, or to the end. */
function parseUntil(
  text: string,
  start: number,
  close: '}' | undefined,
): { readonly parts: Template; readonly end: number } {
  const parts: (string | Variable)[] = []
  let at = start
  let plain = ''
  while (at < text.length) {
    const character = text[at] as string
    if (character === close) return { parts: withPlain(parts, plain), end: at + 1 }
    if (character !== '$') {
      plain += character
      at += 1
      continue
    }
    const found = parseVariable(text, at)
    if (typeof found.part === 'string') plain += found.part
    else parts.push(...withPlain([], plain), found.part)
    if (typeof found.part !== 'string') plain = ''
    at = found.end
  }
  if (close) {
    throw new InterpolationError(
      `"${text}" has a "\${" that is not closed`,
      'Close it with "}", or write "$$" for a dollar sign',
    )
  }
  return { parts: withPlain(parts, plain), end: at }
}

function withPlain(parts: readonly (string | Variable)[], plain: string): (string | Variable)[] {
  return plain === '' ? [...parts] : [...parts, plain]
}

function parseVariable(
  text: string,
  dollar: number,
): { readonly part: string | Variable; readonly end: number } {
  const after = text[dollar + 1]
  if (after === '$') return { part: '$', end: dollar + 2 }
  if (after !== '{') {
    const name = matchAt(NAME, text, dollar + 1)
    if (name === undefined) return { part: '$', end: dollar + 1 }
    return { part: { name, operator: '', operand: [] }, end: dollar + 1 + name.length }
  }
  const name = matchAt(NAME, text, dollar + 2)
  if (name === undefined) throw notUnderstood(text)
  const at = dollar + 2 + name.length
  if (text[at] === '}') return { part: { name, operator: '', operand: [] }, end: at + 1 }
  const operator = matchAt(OPERATOR, text, at) as Variable['operator'] | undefined
  if (operator === undefined) throw notUnderstood(text)
  const operand = parseUntil(text, at + operator.length, '}')
  return { part: { name, operator, operand: operand.parts }, end: operand.end }
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0]
}

function notUnderstood(text: string): InterpolationError {
  return new InterpolationError(
    `"${text}" is no variable of the compose specification`,
    'Write "${NAME}" or "${NAME:-default}", or "$$" for a dollar sign',
  )
}
