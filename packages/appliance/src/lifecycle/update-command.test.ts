import { expect, it } from 'vitest'
import { refuseLeft, updateCommand } from './update-command.ts'

const LEFT = {
  releaseId: '2-b',
  version: '2',
  at: '2026-11-21T01:00:00.000Z',
  why: 'root took it back',
  byItself: false,
}
const target = (releaseId: string, name: string, ref?: string) => ({
  releaseId,
  name,
  ref,
  application: { version: name },
})

it.each([
  ['is what the source of the config holds', {}, target('3-c', 'main'), ''],
  ['is another than the config names', {}, target('3-c', 'v3', 'v3'), ' --to v3'],
  ['was left before', { left: [LEFT] }, target('2-b', 'v2'), ' --to v2'],
] as const)('a release that %s is brought by a command that goes there', (_how, record, found, option) => {
  expect(updateCommand('shop', record, found)).toBe(`caretaker app update shop${option}`)
})

it('a release that was left comes again only by its name', () => {
  expect(() => refuseLeft('shop', { left: [LEFT] }, target('2-b', 'v2'))).toThrow(
    expect.objectContaining({
      code: 'UPDATE_REFUSED',
      why: 'its source holds v2, which was taken back at 2026-11-21T01:00:00.000Z: root took it back',
      next: 'To take it all the same: caretaker app update shop --to v2',
    }),
  )
  expect(() => refuseLeft('shop', { left: [LEFT] }, target('3-c', 'v3'))).not.toThrow()
})
