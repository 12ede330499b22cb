import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from 'yaml'
import { clip, type KeyPath, type Problem } from './problem.ts'
import { readScalar } from './read-scalar.ts'

/** A place in the text, counted from 1. */
export interface Position {
  readonly line: number
  readonly column: number
}

/** A YAML mapping as plain values, with the place of every key and list entry. */
export interface YamlTree {
  readonly value: Record<string, unknown>
  /** By {@link positionKey}. */
  readonly positions: ReadonlyMap<string, Position>
}

/** Deeper than any config; bounds the recursion. */
const DEEPEST = 32

export function positionKey(path: KeyPath): string {
  return JSON.stringify(path)
}

/**
 * Reads the text as YAML 1.2 and takes only what YAML 1.1 (cloud-init) reads the same way: no aliases, tags,
 * merge keys or ambiguous plain values below `ours`; other top-level keys are given as undefined, unread.
 * Fills `problems` instead of throwing; the tree holds what could be read.
 */
export function readYaml(text: string, ours: string, problems: Problem[]): YamlTree {
  const lines = new LineCounter()
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }
  const positions = new Map<string, Position>()
  const syntax = (offset: number, why: string, next: string, path?: KeyPath): void => {
    problems.push({ code: 'CONFIG_SYNTAX', why, next, ...at(offset), ...(path ? { path } : {}) })
  }

  const document = parseDocument(text, {
    version: '1.2',
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'error',
    keepSourceTokens: false,
    lineCounter: lines,
  })
  const [error] = document.errors
  if (error) {
    syntax(
      error.pos[0],
      describeSyntaxError(error.code, error.message),
      `Correct line ${at(error.pos[0]).line}`,
    )
    return { value: {}, positions }
  }
  if (document.directives?.yaml.explicit) {
    syntax(0, 'a %YAML directive changes how values are read', 'Remove the %YAML line')
    return { value: {}, positions }
  }
  const root = document.contents
  if (!isMap(root)) {
    syntax(
      root?.range?.[0] ?? 0,
      'the file holds no mapping ("key: value" lines)',
      `Write "${ours}:" with its settings`,
    )
    return { value: {}, positions }
  }
  return { value: readMap(root.items, [], true), positions }

  function readMap(items: readonly Pair[], path: KeyPath, top: boolean): Record<string, unknown> {
    const result: Record<string, unknown> = {}
    const seen = new Map<string, number>()
    for (const pair of items) {
      const key = readKey(pair, path, top)
      if (key === undefined) continue
      const keyPath = [...path, key]
      const position = at((pair.key as Node).range?.[0] ?? 0)
      const earlier = seen.get(key)
      if (earlier !== undefined) {
        const why = `the key "${clip(key)}" stands twice, also in line ${earlier}`
        syntax((pair.key as Node).range?.[0] ?? 0, why, 'Remove one of the two', keyPath)
        continue
      }
      seen.set(key, position.line)
      positions.set(positionKey(keyPath), position)
      result[key] = top && key !== ours ? undefined : readNode(pair.value as Node | null, keyPath)
    }
    return result
  }

  function readKey(pair: Pair, path: KeyPath, top: boolean): string | undefined {
    const node = pair.key
    const offset = (node as Node | null)?.range?.[0] ?? (pair.value as Node | null)?.range?.[0] ?? 0
    if (isScalar(node) && node.value === '<<' && node.type === 'PLAIN') {
      syntax(offset, 'merge keys ("<<") are not accepted', 'Write the values out', path)
      return undefined
    }
    if (isScalar(node) && typeof node.value === 'string' && node.value !== '__proto__') {
      if (!top) checkPlain(node, [...path, node.value])
      return node.value
    }
    // A top-level key that is no text is cloud-init's business.
    if (!top && isScalar(node) && node.value === '__proto__') {
      syntax(offset, 'the key "__proto__" is not accepted', 'Choose another name', path)
    } else if (!top)
      syntax(offset, 'a key must be a text', 'Write the key as a plain word or in quotes', path)
    return undefined
  }

  function readNode(node: Node | null, path: KeyPath): unknown {
    const offset = node?.range?.[0] ?? 0
    if (path.length > DEEPEST) {
      syntax(offset, `values are nested more than ${DEEPEST} levels deep`, 'Remove the inner levels', path)
      return undefined
    }
    if (isAlias(node) || (node && 'anchor' in node && node.anchor)) {
      syntax(
        offset,
        `anchors ("&name") and aliases ("*name") are not accepted under "${ours}"`,
        'Write the value out',
        path,
      )
      return undefined
    }
    if (node?.tag !== undefined) {
      syntax(
        offset,
        `tags ("${clip(node.tag, 30)}") are not accepted under "${ours}"`,
        'Remove the tag',
        path,
      )
      return undefined
    }
    if (isMap(node)) return readMap(node.items, path, false)
    if (isSeq(node)) {
      return node.items.map((item, index) => {
        const itemPath = [...path, index]
        positions.set(positionKey(itemPath), at((item as Node | null)?.range?.[0] ?? offset))
        return readNode(item as Node | null, itemPath)
      })
    }
    if (!isScalar(node)) return null
    checkPlain(node, path)
    return node.value
  }

  function checkPlain(node: Parameters<typeof readScalar>[0], path: KeyPath): void {
    const problem = readScalar(node)
    if (problem) problems.push({ code: 'CONFIG_WRONG_TYPE', ...problem, ...at(node.range?.[0] ?? 0), path })
  }
}

const SYNTAX_REASONS = new Map(
  Object.entries({
    TAB_AS_INDENT: 'a tab stands where only spaces may indent',
    MULTIPLE_DOCS: 'the file holds more than one YAML document ("---")',
    RESOURCE_EXHAUSTION: 'values are nested too deeply',
    BAD_INDENT: 'the indentation does not fit the lines around it',
    TAG_RESOLVE_FAILED: 'a tag ("!...") cannot be understood',
    BLOCK_AS_IMPLICIT_KEY: 'a second ": " stands in the line; a value with ": " needs quotes',
  }),
)

/** Own words for the common ones. The parser's message holds no value of the file, but may be long. */
function describeSyntaxError(code: string, message: string): string {
  return SYNTAX_REASONS.get(code) ?? `it is not valid YAML: ${clip(message, 120)}`
}
