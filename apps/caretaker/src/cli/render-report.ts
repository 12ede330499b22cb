import type { UpReport } from '@caretaker/appliance/lifecycle/up.ts'
import type { Preview } from '@caretaker/steps/preview.ts'
import { renderError } from './render-error.ts'
import type { Style } from './style.ts'

const WAY_BACK = {
  undo: 'can be undone',
  'not-needed': 'nothing to undo',
  impossible: 'POINT OF NO RETURN',
} as const

/** The steps that will be taken, in order, each with its way back. */
export function renderPreviews(previews: readonly Preview[], style: Style): string {
  const taken = previews.flatMap((preview) => preview.steps.filter((step) => step.state !== 'done'))
  if (taken.length === 0) return 'Nothing to do: everything is as the config says.'
  const lines = previews.flatMap((preview) => {
    const steps = preview.steps.filter((step) => step.state !== 'done')
    if (steps.length === 0) return []
    const after =
      preview.on_failure === 'undo'
        ? 'after a failure it is taken back'
        : 'after a failure it stops there and can be repeated'
    return [
      `${style.bold(preview.purpose)} ${style.dim(`(${after})`)}`,
      ...steps.map((step, index) => {
        const back =
          step.way_back === 'impossible'
            ? style.warn(WAY_BACK.impossible)
            : style.dim(WAY_BACK[step.way_back])
        const blocked =
          step.state === 'blocked'
            ? `\n     ${style.bad('blocked:')} ${step.why}\n     next: ${step.next}`
            : ''
        return `  ${String(index + 1).padStart(2)}. ${step.summary} ${style.dim('—')} ${back}${blocked}`
      }),
    ]
  })
  return [...lines, '', style.dim('Nothing was changed (dry run).')].join('\n')
}

/** How an operation ended. */
export function renderReport(report: UpReport, style: Style, done: string): string {
  if (report.nothing_to_do) return 'Nothing to do: everything is as the config says.'
  if (report.errors.length === 0 && report.exit_code === 0) return style.good(done)
  return report.errors.map((error) => renderError(error, style)).join('\n')
}
