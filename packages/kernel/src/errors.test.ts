import { describe, expect, it } from 'vitest'
import { ERROR_CODES, type ErrorCode } from './error-codes.ts'
import { AppError, isAppError, messageOf, toAppError } from './errors.ts'
import { EXIT_CODES } from './exit-codes.ts'
import { Secret } from './secrets.ts'

const disk = new AppError('DISK_FULL', {
  what: 'The backup was not written',
  why: 'no space left',
  next: 'Free some space',
  at: { file: 'appliance.yml', line: 7 },
  key: 'caretaker.backup',
  also: [new AppError('READ_ONLY', { what: 'a', why: 'b', next: 'c', at: { file: 'x' } })],
})

describe('AppError', () => {
  it('survives the way through JSON and back', () => {
    const back = AppError.fromReport(JSON.parse(JSON.stringify(disk.toReport())))
    expect(back.toReport()).toEqual(disk.toReport())
    expect(back.message).toBe('The backup was not written: no space left')
    expect(back.also[0]?.at).toEqual({ file: 'x' })
  })

  it('says in its report what a program needs: code, exit code, place and key', () => {
    expect(disk.toReport()).toMatchObject({
      code: 'DISK_FULL',
      exit_code: 75,
      file: 'appliance.yml',
      line: 7,
      key: 'caretaker.backup',
      also: [{ code: 'READ_ONLY', exit_code: 1, file: 'x' }],
    })
  })

  it('leaves out of the report what it does not know', () => {
    const bare = new AppError('USAGE', { what: 'w', why: 'y', next: 'n' })
    expect(Object.keys(bare.toReport())).toEqual(['code', 'what', 'why', 'next', 'exit_code'])
  })

  it.each(Object.keys(ERROR_CODES) as ErrorCode[])('%s has a meaning and a known exit code', (code) => {
    expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/)
    expect(ERROR_CODES[code].doc).toMatch(/^[A-Z].{10,}\.$/)
    expect(EXIT_CODES).toHaveProperty(String(ERROR_CODES[code].exit))
    expect(ERROR_CODES[code].exit).not.toBe(0)
  })
})

describe('toAppError', () => {
  it.each([
    ['ENOSPC', 'DISK_FULL'],
    ['EDQUOT', 'DISK_FULL'],
    ['EROFS', 'READ_ONLY'],
    ['EACCES', 'NO_PERMISSION'],
    ['EPERM', 'NO_PERMISSION'],
    ['EISDIR', 'STATE_DAMAGED'],
    ['ENOENT', 'INTERNAL'],
  ] as const)('makes %s of the operating system a %s that names the path', (code, expected) => {
    const error = toAppError(Object.assign(new Error(`${code}: /data/x`), { code, path: '/data/x' }))
    expect(error.code).toBe(expected)
    expect(error.why).toContain('/data/x')
  })

  it.each(['ENOSPC', 'EROFS'] as const)(
    'says of %s which file system it is, and what to type there',
    (code) => {
      const found = Object.assign(new Error(code), { code, path: '/srv/data/x', mount: '/srv' })
      const error = toAppError(found)
      expect(error.why).toMatch(/\/srv\/data\/x .*\/srv$/)
      expect(error.next).toMatch(/"(du -xh|mount -o remount,rw) \/srv/)
    },
  )

  it('keeps an AppError and turns any other thrown thing into INTERNAL with its message', () => {
    expect(toAppError(disk)).toBe(disk)
    expect(toAppError(new TypeError('x is undefined'))).toMatchObject({
      code: 'INTERNAL',
      why: 'x is undefined',
    })
    expect(toAppError('just a text').why).toBe('just a text')
  })
})

it('isAppError tells one code from another', () => {
  expect(isAppError(disk)).toBe(true)
  expect(isAppError(disk, 'DISK_FULL')).toBe(true)
  expect(isAppError(disk, 'LOCKED')).toBe(false)
  expect(isAppError(new Error('x'))).toBe(false)
})

it('no secret gets into an error, its report or a message', () => {
  const secret = new Secret('db-password', 'hunter2hunter2')
  const error = new AppError('COMMAND_FAILED', {
    what: `psql ${secret.reveal()}`,
    why: `it said ${secret.reveal()}`,
    next: `try ${secret.reveal()}`,
  })
  expect(
    JSON.stringify(error.toReport()) + error.message + messageOf(new Error(secret.reveal())),
  ).not.toContain('hunter2')
})
