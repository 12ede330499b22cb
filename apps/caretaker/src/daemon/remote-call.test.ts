import { describe, expect, it } from 'vitest'
import { parseRemoteCall } from './remote-call.ts'

const CALL = { arguments: ['guestbook'], options: { dryRun: true }, user: 'ann', working_folder: '/home/ann' }

describe('parseRemoteCall', () => {
  it('gives back what the command line sends', () => {
    expect(parseRemoteCall(JSON.stringify({ ...CALL, newer: 1 }))).toEqual(CALL)
  })

  it.each([
    ['', 'it is not JSON'],
    ['[]', 'it is not a JSON object'],
    [JSON.stringify({ ...CALL, arguments: ['a', 1] }), '"arguments" is not'],
    [JSON.stringify({ ...CALL, arguments: Array(1001).fill('a') }), '"arguments" is not'],
    [JSON.stringify({ ...CALL, options: null }), '"options" is not'],
    [JSON.stringify({ ...CALL, user: undefined }), '"user" is not'],
    [JSON.stringify({ ...CALL, working_folder: 'x'.repeat(4097) }), '"working_folder" is not'],
  ])('refuses %.40s', (text, why) => {
    expect(() => parseRemoteCall(text)).toThrow(
      expect.objectContaining({ why: expect.stringContaining(why) }),
    )
  })
})
