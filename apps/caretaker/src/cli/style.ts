import { styleText } from 'node:util'

/** Colours for one stream. */
export interface Style {
  readonly width: number
  /** Whether a line can be written over: a terminal that understands more than text. */
  readonly rewrites: boolean
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly good: (text: string) => string
  readonly bad: (text: string) => string
  readonly warn: (text: string) => string
}

/** Colours when the stream is a terminal that wants them (NO_COLOR, FORCE_COLOR and TERM=dumb count). */
export function createStyle(
  stream: NodeJS.WriteStream,
  env: Readonly<Record<string, string | undefined>>,
): Style {
  const paint = (format: Parameters<typeof styleText>[0]) => (text: string) =>
    styleText(format, text, { stream })
  return {
    // A terminal that does not say how wide it is says 0.
    width: stream.columns || 100,
    rewrites: stream.isTTY === true && env.TERM !== 'dumb',
    bold: paint('bold'),
    dim: paint('dim'),
    good: paint('green'),
    bad: paint('red'),
    warn: paint('yellow'),
  }
}

/** A style without colours, for files, tests and pipes. */
export const PLAIN: Style = {
  width: 100,
  rewrites: false,
  bold: (text) => text,
  dim: (text) => text,
  good: (text) => text,
  bad: (text) => text,
  warn: (text) => text,
}
