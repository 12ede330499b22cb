export const SECOND_MS = 1000
export const MINUTE_MS = 60 * SECOND_MS
export const HOUR_MS = 60 * MINUTE_MS
export const DAY_MS = 24 * HOUR_MS

/** A duration for people: "850 ms", "12 s", "4 min 10 s", "3 h 5 min", "2 d 4 h". Input in ms. */
export function formatDuration(ms: number): string {
  const rounded = Math.max(0, Math.round(ms))
  if (rounded < SECOND_MS) return `${rounded} ms`
  if (rounded < 9.95 * SECOND_MS) return `${(rounded / SECOND_MS).toFixed(1)} s`
  if (rounded < 59.5 * SECOND_MS) return `${Math.round(rounded / SECOND_MS)} s`
  if (rounded < MINUTE_MS) return '1 min'
  if (rounded < HOUR_MS) return pair(rounded, MINUTE_MS, 'min', SECOND_MS, 's')
  if (rounded < DAY_MS) return pair(rounded, HOUR_MS, 'h', MINUTE_MS, 'min')
  return pair(rounded, DAY_MS, 'd', HOUR_MS, 'h')
}

function pair(ms: number, bigMs: number, bigName: string, smallMs: number, smallName: string): string {
  const big = Math.floor(ms / bigMs)
  const small = Math.floor((ms % bigMs) / smallMs)
  return small === 0 ? `${big} ${bigName}` : `${big} ${bigName} ${small} ${smallName}`
}

/** Milliseconds of "90s", "20 s", "10m", "1h30m", "2d" or "500ms" (compose durations, and days); undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  const units: Record<string, number> = { ms: 1, s: SECOND_MS, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS }
  if (!/^( *\d+(\.\d+)? *(ms|s|m|h|d))+ *$/.test(text)) return undefined
  let total = 0
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?) *(ms|s|m|h|d)/g)) {
    total += Number(amount) * (units[unit as string] as number)
  }
  return Math.round(total)
}
