import type { Finding } from '@caretaker/appliance/lifecycle/doctor/finding.ts'
import { surroundingOf } from '../cli/around.ts'
import type { CommandDefinition } from '../cli/definition.ts'
import type { Style } from '../cli/style.ts'

export const doctor: CommandDefinition = {
  name: 'doctor',
  summary: 'Check everything a night call would ask; each finding says what to type next.',
  details: 'Changes nothing. Exit code 0 when there is no problem, 3 when there is.',
  examples: [['caretaker doctor', 'when something is wrong and you do not know what']],
  output: [['findings', 'list', 'check, result (ok, notice or problem), code, what, next']],
  runs: 'here',
  async handler(call) {
    const { examine } = await import('@caretaker/appliance/lifecycle/doctor.ts')
    const { runFolder } = await import('@caretaker/appliance/lifecycle/folders.ts')
    const { findDaemon } = await import('../daemon/client.ts')
    const run = runFolder(call.places.stateFolder, call.ports.machine.user().uid)
    const running = await findDaemon(call.ports, run)
    const findings = await examine(surroundingOf(call), call.places.configFile, running)
    return { data: { findings }, exitCode: findings.some((finding) => finding.result === 'problem') ? 3 : 0 }
  },
  render: ({ findings }: { findings: readonly Finding[] }, style: Style) =>
    findings
      .map(({ check, result, code, what, next }) =>
        result === 'ok'
          ? `${style.good('ok')}       ${check}: ${what}`
          : `${result === 'notice' ? `${style.warn('notice')} ` : style.bad('problem')}  ${check}: ${what}\n         next: ${next}\n         ${style.dim(`code: ${code}`)}`,
      )
      .join('\n'),
}
