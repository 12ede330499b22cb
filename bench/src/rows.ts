/** One measured value beside what a person would use otherwise. */
export interface Row {
  readonly what: string
  readonly value: number
  readonly unit: 'ms' | 'MB' | 'requests/s' | '%'
  /** The alternative, measured in the same run; absent for a part of another row. */
  readonly beside?: { readonly what: string; readonly value: number }
  /** What we want: at most (`ms`, `MB`, `%`) this much. */
  readonly goal?: number
}

/** The middle value. @throws for no values */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted[Math.floor(sorted.length / 2)]
  if (middle === undefined) throw new Error('no values')
  return middle
}

/** A table in Markdown. */
export function renderRows(rows: readonly Row[]): string {
  const lines = rows.map(({ what, value, unit, beside, goal }) =>
    [
      what,
      `${rounded(value)} ${unit}`,
      beside ? `${beside.what}: ${rounded(beside.value)} ${unit}` : '',
      beside && beside.value > 0 ? `× ${(value / beside.value).toFixed(2)}` : '',
      goal === undefined ? '' : `${value <= goal ? 'met' : 'MISSED'} (≤ ${goal} ${unit})`,
    ].join(' | '),
  )
  return [
    '| measured | value | beside | ratio | goal |',
    '|---|---|---|---|---|',
    ...lines.map((line) => `| ${line} |`),
  ].join('\n')
}

const rounded = (value: number) => (value < 10 ? value.toFixed(1) : Math.round(value).toString())
