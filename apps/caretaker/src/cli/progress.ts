import { printableDeep } from '@caretaker/kernel/printable.ts'
import { formatDuration } from '@caretaker/kernel/time.ts'
import type { EmitEvent, OperationEvent } from '@caretaker/steps/events.ts'
import type { PROGRESS_MODES } from './global-options.ts'
import { oneLine } from './one-line.ts'
import type { Style } from './style.ts'

export type ProgressMode = (typeof PROGRESS_MODES)[number]

/**
 * Shows the events of an operation on standard error: for a terminal, a log, or a program. Why a step failed is said in
 * full when the command ends, so here it is one line.
 */
export function createProgress(
  mode: ProgressMode,
  stream: Pick<NodeJS.WritableStream, 'write'>,
  style: Style,
): EmitEvent {
  if (mode === 'none') return () => undefined
  if (mode === 'json') return (event) => void stream.write(`${JSON.stringify(event)}\n`)
  const live = mode === 'auto' && style.rewrites
  const summaries = new Map<string, string>()
  let open = ''
  const close = () => {
    if (live && open !== '') stream.write('\r\u001b[2K')
    open = ''
  }
  const begin = (text: string) => {
    open = text
    if (live) stream.write(`\r\u001b[2K${style.dim('…')} ${oneLine(text).slice(0, style.width - 3)}`)
  }
  return (told) => {
    const event = printableDeep(told)
    if (event.type === 'operation-started') {
      for (const step of event.plan.steps) summaries.set(step.id, step.summary)
    }
    const summary = 'step' in event ? (summaries.get(event.step) ?? event.step) : ''
    if (event.type === 'step-started') return begin(summary)
    if (event.type === 'undo-started') return begin(`take back: ${summary}`)
    if (event.type === 'step-progress') {
      if (live) begin(`${summary}: ${event.message}`)
      return undefined
    }
    close()
    const line = lineOf(event, summary, style)
    if (line !== undefined) stream.write(`${line}\n`)
    return undefined
  }
}

function lineOf(event: OperationEvent, summary: string, style: Style): string | undefined {
  switch (event.type) {
    case 'operation-started':
      return event.resumed ? `${style.bold(event.plan.purpose)} (goes on)` : style.bold(event.plan.purpose)
    case 'step-applied':
      return `${style.good('✓')} ${summary} ${style.dim(formatDuration(event.duration_ms))}`
    case 'step-failed':
      return `${style.bad('✗')} ${summary} ${style.dim(oneLine(event.error.why))}`
    case 'undo-begun':
      return style.warn('Taking back what was done')
    case 'step-undone':
      return `${style.warn('↩')} ${summary} ${style.dim(formatDuration(event.duration_ms))}`
    case 'undo-failed':
      return `${style.bad('✗')} could not be taken back: ${summary} ${style.dim(oneLine(event.error.why))}`
    case 'operation-ended':
    case 'step-skipped':
    case 'step-started':
    case 'step-progress':
    case 'undo-started':
      return undefined
  }
}
