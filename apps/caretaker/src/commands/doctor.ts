import { resolve } from 'node:path'
import type { BundleReport } from '@caretaker/appliance/bundle/bundle.ts'
import type { Finding, SeenDaemon } from '@caretaker/appliance/lifecycle/doctor/finding.ts'
import { formatBytes } from '@caretaker/kernel/units.ts'
import { surroundingOf } from '../cli/around.ts'
import type { Call, CommandDefinition } from '../cli/definition.ts'
import { oneLine } from '../cli/one-line.ts'
import type { Style } from '../cli/style.ts'

export const doctor: CommandDefinition = {
  name: 'doctor',
  summary: 'Check everything a night call would ask; each finding says what to type next.',
  details: 'Changes nothing. Exit code 0 when there is no problem, 3 when there is.',
  options: [
    {
      flags: '--bundle <file>',
      description: 'write all a helper asks for into an archive (.tar.gz), secrets masked; it must not exist',
    },
  ],
  examples: [
    ['caretaker doctor', 'when something is wrong and you do not know what'],
    ['caretaker doctor --bundle bundle.tar.gz', 'the same, and an archive to send to whoever helps you'],
  ],
  output: [
    ['findings', 'list', 'check, result (ok, notice or problem), code, what, next'],
    [
      'bundle',
      'object or null',
      'with --bundle: file (mode 0600), size_bytes, entries (names of its files), masked (what was masked → how often)',
    ],
  ],
  runs: 'here',
  async handler(call) {
    const { examine } = await import('@caretaker/appliance/lifecycle/doctor.ts')
    const { runFolder } = await import('@caretaker/appliance/lifecycle/folders.ts')
    const { findDaemon } = await import('../daemon/client.ts')
    const run = runFolder(call.places.stateFolder, call.ports.machine.user().uid)
    const running = await findDaemon(call.ports, run)
    const findings = await examine(surroundingOf(call), call.places.configFile, running)
    const file = call.options.bundle
    const bundle = typeof file === 'string' ? await bundled(call, file, running) : null
    return {
      data: { findings, bundle },
      exitCode: findings.some((finding) => finding.result === 'problem') ? 3 : 0,
    }
  },
  render: (
    { findings, bundle }: { findings: readonly Finding[]; bundle: BundleReport | null },
    style: Style,
  ) => {
    const lines = findings.map((finding) => lineOf(finding, style))
    return [...lines, ...(bundle ? ['', saidOf(bundle)] : [])].join('\n')
  },
}

function lineOf({ check, result, code, what, next }: Finding, style: Style): string {
  if (result === 'ok') return `${style.good('ok')}       ${check}: ${oneLine(what)}`
  const word = result === 'notice' ? `${style.warn('notice')} ` : style.bad('problem')
  return `${word}  ${check}: ${oneLine(what)}\n         next: ${oneLine(next)}\n         ${style.dim(`code: ${code}`)}`
}

function saidOf({ file, size_bytes, entries, masked }: BundleReport): string {
  const times = Object.values(masked).reduce((sum, count) => sum + count, 0)
  return [
    `${file} was written (mode 0600): ${formatBytes(size_bytes)}, ${entries.length} files, ${times} places masked.`,
    `Read it before you send it: tar -xzf ${file}, then caretaker/MANIFEST.md first`,
  ].join('\n')
}

async function bundled(call: Call, file: string, daemon: SeenDaemon | undefined): Promise<BundleReport> {
  const { writeBundle } = await import('@caretaker/appliance/bundle/bundle.ts')
  return writeBundle(surroundingOf(call), call.places.configFile, daemon, resolve(call.workingFolder, file))
}
