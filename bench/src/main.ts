import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { cpus, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { boot } from './boot.ts'
import { caddy } from './caddy.ts'
import { cold } from './cold.ts'
import { gateway } from './gateway.ts'
import { hold } from './hold.ts'
import { memory } from './memory.ts'
import { root } from './programs.ts'
import { rehearsal } from './rehearsal.ts'
import { rollback } from './rollback.ts'
import { type Row, renderRows } from './rows.ts'
import { start } from './start.ts'
import { storage } from './storage.ts'

const BENCHMARKS: Readonly<Record<string, readonly [title: string, run: () => Promise<readonly Row[]>]>> = {
  start: ['Command line, median of 20', start],
  memory: ['Memory of the control plane, and CPU while idle', memory],
  cold: ['Guestbook from nothing, and again', cold],
  boot: ['A machine from its start, median of 5 (root on Debian)', boot],
  gateway: ['Through the gateway: 20 connections, 5 s', gateway],
  caddy: ['Engines of the gateway: 20 connections, 5 s', caddy],
  rehearsal: ['A rehearsal beside the update that follows', rehearsal],
  hold: ['How long visitors wait for an update that migrates', hold],
  rollback: ['Rollback with data, and clones, by the size of the data; median of 3', rollback],
  storage: ['Storage: snapshot, switch and writable copy, median of 3', storage],
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { write: { type: 'boolean', default: false } },
})
const canBoot = process.getuid?.() === 0 && existsSync('/usr/bin/systemd-nspawn')
const possible = Object.keys(BENCHMARKS).filter((name) => name !== 'boot' || canBoot)
const names = positionals.length === 0 ? possible : positionals
const unknown = names.find((name) => !Object.hasOwn(BENCHMARKS, name))
if (unknown !== undefined) {
  process.stderr.write(
    `error: there is no benchmark "${unknown}"\n  next: one of ${Object.keys(BENCHMARKS).join(', ')}\n`,
  )
  process.exit(2)
}

const parts = [machine()]
process.stdout.write(`${parts[0]}\n`)
for (const name of names) {
  const [title, run] = BENCHMARKS[name] as (typeof BENCHMARKS)[string]
  const part = `## ${title}\n\n${renderRows(await run())}`
  process.stdout.write(`\n${part}\n`)
  parts.push(part)
}
if (values.write) await writeFile(join(root, 'bench/RESULTS.md'), `# Results\n\n${parts.join('\n\n')}\n`)

function machine(): string {
  const processors = cpus()
  const memoryGb = Math.round(totalmem() / 1024 ** 3)
  return `Node ${process.versions.node}, Linux ${release()} ${process.arch}, ${processors.length} × ${processors[0]?.model.trim() ?? 'unknown processor'}, ${memoryGb} GB. ${new Date().toISOString().slice(0, 10)}. "npm run bench -- --write" makes this file; other work on the machine shows in it.`
}
