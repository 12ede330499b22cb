import { clip, type Problem } from './problem.ts'
import { type Position, positionKey, type YamlTree } from './read-yaml.ts'
import { closest } from './suggest.ts'

/** Our sections whose names cloud-init does not use: at the top level they have lost their indentation. */
const OURS = [
  'identity',
  'standby',
  'storage',
  'gateway',
  'tls',
  'postgres',
  'recover',
  'applications',
  'keys',
]

/** What is wrong outside `caretaker`: it is missing or misspelt, or a section of ours is not indented below it. */
export function checkTopLevel(tree: YamlTree): Problem[] {
  const problems: Problem[] = []
  const keys = Object.keys(tree.value)
  for (const key of keys) {
    const position = tree.positions.get(positionKey([key])) as Position
    const why = `"${clip(key)}" at the top level is not read`
    if (key !== 'caretaker' && closest(key, ['caretaker']) !== undefined) {
      const next = `Did you mean "caretaker"? Correct line ${position.line}`
      problems.push({ code: 'CONFIG_UNKNOWN_KEY', why, next, ...position, path: [key] })
    } else if (OURS.includes(key)) {
      const next = `Indent it below "caretaker:" (line ${position.line} and what belongs to it)`
      problems.push({
        code: 'CONFIG_UNKNOWN_KEY',
        why: `${why}: it belongs under "caretaker"`,
        next,
        ...position,
        path: [key],
      })
    }
  }
  if (!Object.hasOwn(tree.value, 'caretaker') && problems.length === 0) {
    const next =
      'Write "caretaker:" with its settings; "caretaker config create DOMAIN" writes a complete file'
    problems.push({
      code: 'CONFIG_MISSING',
      why: 'caretaker is missing',
      next,
      line: 1,
      column: 1,
      path: ['caretaker'],
    })
  }
  return problems
}
