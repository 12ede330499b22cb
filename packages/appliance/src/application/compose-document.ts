import { AppError, messageOf, type SourcePosition } from '@caretaker/kernel/errors.ts'
import { KIB } from '@caretaker/kernel/units.ts'
import {
  type Document,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  type Node,
  parseAllDocuments,
  visit,
} from 'yaml'
import type { KeyPath } from '../config/problem.ts'

/** Far above any compose file a person writes. */
const LARGEST = 256 * KIB
/** Deeper than any compose file; bounds the recursion. */
const DEEPEST = 64
/** More than any compose file holds once its aliases are filled in. */
const MOST_VALUES = 100_000

export interface ComposeDocument {
  /** Plain values, anchors and merges resolved, variables not yet. */
  readonly value: unknown
  /** Where the key stands, or the nearest key above it that stands in the file itself. */
  locate(path: KeyPath): SourcePosition
}

/**
 * Reads the YAML of a compose file.
 * @throws AppError COMPOSE_SYNTAX with file and line.
 */
export function readComposeDocument(file: string, text: string): ComposeDocument {
  if (Buffer.byteLength(text) > LARGEST) throw syntaxError({ file }, `it is larger than ${LARGEST / KIB} KiB`)
  try {
    return read(file, text)
  } catch (error) {
    if (error instanceof AppError) throw error
    // Endless aliases and nesting beyond the stack surface as exceptions of the YAML library.
    throw syntaxError({ file }, messageOf(error))
  }
}

function read(file: string, text: string): ComposeDocument {
  const lines = new LineCounter()
  const documents = parseAllDocuments(text, {
    lineCounter: lines,
    merge: true,
    prettyErrors: false,
    logLevel: 'error',
  })
  const position = (offset: number): SourcePosition => {
    const { line, col } = lines.linePos(offset)
    return line === 0 ? { file } : { file, line, column: col }
  }
  const [document, second] = Array.isArray(documents) ? documents : []
  if (!document) throw syntaxError({ file }, 'it is empty')
  if (second) throw syntaxError(position(second.range[0]), 'it holds more than one YAML document')
  const [problem] = document.errors
  if (problem) throw syntaxError(position(problem.pos[0]), problem.message)
  const prototype = findPrototypeKey(document)
  if (prototype) {
    const why = 'the key "__proto__" is not accepted'
    throw syntaxError(position(prototype.range?.[0] ?? 0), why, 'Choose another name')
  }
  const value = document.toJS({ maxAliasCount: 1000 }) as unknown
  if (!isBounded(value, 0, { left: MOST_VALUES }))
    throw syntaxError({ file }, 'its values are nested too deeply or repeated too often')
  return {
    value,
    locate: (path) => {
      for (let length = path.length; length > 0; length -= 1) {
        const node = keyNode(document, path.slice(0, length))
        if (node?.range) return position(node.range[0])
      }
      return { file, line: 1 }
    },
  }
}

/** A key that JavaScript keeps for itself: what stands under it would be left out without a word. */
function findPrototypeKey(document: Document.Parsed): Node | undefined {
  let found: Node | undefined
  visit(document, {
    Pair(_place, { key }) {
      if (!isScalar(key) || key.value !== '__proto__') return undefined
      found = key
      return visit.BREAK
    },
  })
  return found
}

/** Whether the value can be walked: aliases can make one that has no end. */
function isBounded(value: unknown, depth: number, budget: { left: number }): boolean {
  budget.left -= 1
  if (depth > DEEPEST || budget.left < 0) return false
  if (value === null || typeof value !== 'object') return true
  return Object.values(value).every((entry) => isBounded(entry, depth + 1, budget))
}

/** The key at a path, or the entry itself inside a list. */
function keyNode(document: Document.Parsed, path: KeyPath): Node | undefined {
  const parent = document.getIn(path.slice(0, -1), true)
  const last = path.at(-1)
  const pair = isMap(parent)
    ? parent.items.find(({ key }) => isScalar(key) && String(key.value) === String(last))
    : undefined
  if (pair) return pair.key as Node
  const node = document.getIn(path, true)
  return isNode(node) ? node : undefined
}

function syntaxError(
  at: SourcePosition,
  why: string,
  next = 'Correct the YAML; "docker compose config" or an editor with a YAML mode shows the place',
): AppError {
  return new AppError('COMPOSE_SYNTAX', {
    what: `The compose file ${at.file} cannot be read`,
    why,
    next,
    at,
  })
}
