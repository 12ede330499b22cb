import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

/** What no clone holds: made or fetched, and not committed. */
const NOT_OURS = new Set(['node_modules', '.git', '.tools', '.caretaker', 'dist', 'coverage'])

export interface SourceFile {
  /** Path from the root, with `/`. */
  readonly path: string
  readonly text: string
}

/** Every file below the folders (from the root) whose path passes. */
export function filesIn(
  folders: readonly string[],
  passes: (path: string) => boolean,
): readonly SourceFile[] {
  return folders
    .flatMap((folder) => pathsIn(join(ROOT, folder)))
    .map((path) => relative(ROOT, path))
    .filter(passes)
    .toSorted()
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }))
}

/** The TypeScript of packages and apps, tests included. */
export function productSources(): readonly SourceFile[] {
  return filesIn(['packages', 'apps'], (path) => path.includes('/src/') && /\.tsx?$/.test(path))
}

/**
 * Tests and what only tests use: `x.test.ts`, `x.fixture.ts`, `conformance…`, `test-x.ts`, `lab-x.ts`, `testing/…`. They may
 * touch the machine and import the real ports; the product may not.
 */
export function isTest(path: string): boolean {
  return /(\.test|\.fixture)\.ts$|\/(conformance|testing)\/|\/(conformance|test-|lab-)[^/]*\.ts$/.test(path)
}

/** The unit a path belongs to, as `packages/kernel` or `e2e`. */
export function unitOf(path: string): string {
  const [top = '', name = ''] = path.split('/')
  return top === 'packages' || top === 'apps' ? `${top}/${name}` : top
}

/** What a file imports, in every form of import and re-export; `values`: without what is imported as a type only. */
export function importsOf(file: SourceFile, which: 'all' | 'values' = 'all'): readonly string[] {
  const code = withoutComments(file.text).replaceAll(/`(?:[^`\\]|\\[\s\S])*`/g, '``')
  const forms = [
    which === 'all'
      ? /^\s*(?:import|export)\s[^'";]*?\sfrom\s*['"]([^'"]+)['"]/gm
      : /^\s*(?:import|export)\s(?!\s*type\s)[^'";]*?\sfrom\s*['"]([^'"]+)['"]/gm,
    /^\s*import\s*['"]([^'"]+)['"]/gm,
    /\bimport\(\s*['"]([^'"]+)['"]/g,
  ]
  return forms.flatMap((form) => [...code.matchAll(form)].map((match) => match[1] as string))
}

/** The code with comments blanked and the text of strings left as it is. Line numbers stay. */
export function withoutComments(text: string): string {
  return text.replaceAll(
    /("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\[\s\S])*`)|\/\/[^\n]*|\/\*[\s\S]*?\*\//g,
    (whole, string: string | undefined) => string ?? whole.replaceAll(/[^\n]/g, ' '),
  )
}

/** The code with comments and the text of strings blanked. Line numbers stay. */
export function codeOnly(text: string): string {
  return withoutComments(text).replaceAll(
    /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\[\s\S])*`/g,
    (string) => string.replaceAll(/[^\n]/g, ' '),
  )
}

/** `path:line` of every match of a pattern with the flag `g`. */
export function placesOf(file: SourceFile, code: string, pattern: RegExp): readonly string[] {
  return [...code.matchAll(pattern)].map(
    (match) => `${file.path}:${code.slice(0, match.index).split('\n').length} ${match[0].trim()}`,
  )
}

function pathsIn(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !NOT_OURS.has(entry.name))
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return pathsIn(path)
      return entry.isFile() ? [path] : []
    })
}
