import { AppError } from '@caretaker/kernel/errors.ts'

/** Commands of the plan that later versions bring. Taken out here when they are built. */
const UNBUILT: ReadonlySet<string> = new Set([
  'update',
  'backup',
  'restore',
  'image',
  'user',
  'config package',
  'config scan',
])

/** The refusal of a command that is known but not built; undefined for every other line. */
export function unbuiltCommand(words: readonly string[]): AppError | undefined {
  const [first = '', second = ''] = words.filter((word) => !word.startsWith('-'))
  const name = [first, `${first} ${second}`].find((entry) => UNBUILT.has(entry))
  if (name === undefined) return undefined
  return new AppError('NOT_IN_THIS_VERSION', {
    what: 'Nothing was done',
    why: `"caretaker ${name}" is not in this version`,
    next: 'Use a version that has it; "caretaker --help" lists what this one can do',
  })
}
