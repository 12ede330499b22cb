import { PassThrough } from 'node:stream'
import { WriteStream } from 'node:tty'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createStyle } from './style.ts'

/** A terminal as Node sees one, with its own judgement of colours. */
function terminal(columns?: number): NodeJS.WriteStream {
  return Object.assign(new PassThrough(), {
    isTTY: true,
    columns,
    getColorDepth: () => WriteStream.prototype.getColorDepth(),
  }) as unknown as NodeJS.WriteStream
}

beforeEach(() => {
  for (const name of ['NO_COLOR', 'FORCE_COLOR', 'NODE_DISABLE_COLORS', 'CI', 'TMUX', 'COLORTERM'])
    vi.stubEnv(name, undefined)
  vi.stubEnv('TERM', 'xterm-256color')
})
afterEach(() => vi.unstubAllEnvs())

describe('style', () => {
  it('colours for a terminal', () => {
    const style = createStyle(terminal(80), process.env)
    expect(style.bad('x')).toBe('\u001b[31mx\u001b[39m')
    expect(style).toMatchObject({ width: 80, rewrites: true })
  })

  it.each([
    ['NO_COLOR', '1'],
    ['TERM', 'dumb'],
  ])('has no colours with %s=%s', (name, value) => {
    vi.stubEnv(name, value)
    expect(createStyle(terminal(), process.env).bad('x')).toBe('x')
  })

  it('rewrites no line of a dumb terminal, nor of a pipe', () => {
    vi.stubEnv('TERM', 'dumb')
    expect(createStyle(terminal(), process.env).rewrites).toBe(false)
    const pipe = new PassThrough() as unknown as NodeJS.WriteStream
    expect(createStyle(pipe, {})).toMatchObject({ rewrites: false, width: 100 })
    expect(createStyle(pipe, {}).good('x')).toBe('x')
  })

  it('takes a terminal that does not know its width for a wide one', () => {
    expect(createStyle(terminal(0), {}).width).toBe(100)
  })
})
