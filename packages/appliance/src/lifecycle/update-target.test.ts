import { expect, it } from 'vitest'
import { refuseClone } from './update-target.ts'

it('an update of a clone is refused with what can be updated instead', () => {
  expect(() => refuseClone('trial', 'guestbook')).toThrow(
    expect.objectContaining({
      code: 'UPDATE_REFUSED',
      what: 'trial was not updated',
      next: expect.stringContaining('caretaker app update guestbook'),
    }),
  )
  expect(() => refuseClone('guestbook', undefined)).not.toThrow()
})
