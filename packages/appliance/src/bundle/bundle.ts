import { gzipSync } from 'node:zlib'
import { formatBytes, KIB, MIB } from '@caretaker/kernel/units.ts'
import { writeDurably } from '@caretaker/ports/durable.ts'
import { pack } from 'tar-stream'
import type { Surrounding } from '../lifecycle/appliance.ts'
import type { SeenDaemon } from '../lifecycle/doctor/finding.ts'
import { assertNewFile } from '../lifecycle/new-file.ts'
import { type Collected, collectBundle } from './collect.ts'
import { maskForSupport } from './mask.ts'

/** Of a longer file the end counts. */
const MOST_OF_A_FILE = 256 * KIB
const MOST_OF_ALL = 16 * MIB

export interface BundleReport {
  readonly file: string
  readonly size_bytes: number
  /** Names of the files in it. */
  readonly entries: readonly string[]
  /** What was masked, and how often. */
  readonly masked: Readonly<Record<string, number>>
}

/**
 * Writes what a helper needs to know of this appliance into one archive, mode 0600, without secrets. Works while the
 * config is invalid and while parts are gone.
 * @throws AppError FILE_EXISTS, USAGE when its folder is not there
 */
export async function writeBundle(
  around: Surrounding,
  configFile: string | undefined,
  daemon: SeenDaemon | undefined,
  file: string,
): Promise<BundleReport> {
  const { files, clock } = around.ports
  await assertNewFile(files, file, 'No bundle was written', 'FILE_EXISTS')
  const now = clock.now()
  const { entries, masked, notes } = prepare(await collectBundle(around, configFile, daemon))
  const manifest = {
    name: 'MANIFEST.md',
    text: manifestOf(now, around.programs.version, entries, masked, notes),
  }
  const bytes = gzipSync(await packed([manifest, ...entries], now))
  await writeDurably(files, file, bytes, 0o600)
  return { file, size_bytes: bytes.length, entries: [manifest, ...entries].map(({ name }) => name), masked }
}

interface Prepared {
  readonly entries: readonly Collected[]
  readonly masked: Readonly<Record<string, number>>
  /** What is not as it was on the machine. */
  readonly notes: readonly string[]
}

/** Masks first and shortens then, so that no secret is cut in two and passes. */
function prepare(collected: readonly Collected[]): Prepared {
  const entries: Collected[] = []
  const masked: Record<string, number> = {}
  const notes: string[] = []
  let total = 0
  for (const { name, text } of collected) {
    if (total >= MOST_OF_ALL) {
      notes.push(`${name} was left out: the bundle is full`)
      continue
    }
    const shown = maskForSupport(text.slice(-2 * MOST_OF_A_FILE))
    for (const [kind, times] of Object.entries(shown.masked)) masked[kind] = (masked[kind] ?? 0) + times
    const kept = shown.text.slice(-MOST_OF_A_FILE)
    if (kept.length < text.length && text.length > MOST_OF_A_FILE)
      notes.push(`${name} is the end of ${formatBytes(Buffer.byteLength(text))}`)
    entries.push({ name, text: kept })
    total += kept.length
  }
  return { entries, masked, notes }
}

function manifestOf(
  now: Date,
  version: string,
  entries: readonly Collected[],
  masked: Prepared['masked'],
  notes: readonly string[],
): string {
  const list = (lines: readonly string[]) =>
    lines.length === 0 ? '- nothing' : lines.map((line) => `- ${line}`).join('\n')
  return `# Support bundle of caretaker ${version}, ${now.toISOString()}

Read it before you send it: known secrets and what looks like one are masked, but an application may have written
what nobody can tell from any other text.

## Files

${list(entries.map(({ name, text }) => `${name} (${formatBytes(Buffer.byteLength(text))})`))}

## Masked

${list(Object.entries(masked).map(([kind, times]) => `${kind}: ${times}`))}

## Shortened

${list(notes)}
`
}

async function packed(entries: readonly Collected[], mtime: Date): Promise<Buffer> {
  const archive = pack()
  for (const { name, text } of entries) archive.entry({ name: `caretaker/${name}`, mode: 0o600, mtime }, text)
  archive.finalize()
  const chunks: Buffer[] = []
  for await (const chunk of archive) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
