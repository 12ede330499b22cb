import { expect, it } from 'vitest'
import { connectionEnded } from './client.ts'

it('an update that a person cancels is said to be taken back, not to be resumed', () => {
  const { why, next } = connectionEnded('app update', true, undefined)
  expect(why).toContain('takes the change back')
  expect(next).not.toContain('resume')
  const rehearsal = connectionEnded('app rehearse', true, undefined)
  expect(rehearsal.why).toContain('removes the clone')
  expect(rehearsal.next).not.toContain('resume')
  expect(connectionEnded('up', true, undefined).next).toContain('operation resume ID')
})

it('a daemon that ends in the middle of a command leaves it partly done, and the next one goes on', () => {
  const report = connectionEnded('app update', false, undefined).toReport()
  expect(report).toMatchObject({ code: 'DAEMON_LOST', exit_code: 3 })
  expect(report.next).toContain('takes the change back')
})
