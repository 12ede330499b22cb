import { describe, expect, it } from 'vitest'
import { publicText, visitorSentence } from './visitor-sentence.ts'

describe('what visitors read', () => {
  it.each([
    ['The service web of shop does not start', 'The service web of shop does not start'],
    ['The archive /home/ada/shop.tgz cannot be read', 'The archive … cannot be read'],
    ['"/opt/pg/bin/initdb -D /srv/data" failed', '"… -D …" failed'],
    ['"Take the data volume /srv/data" cannot be done', '"Take the data volume …" cannot be done'],
    [
      'The git repository https://ada@git.example.org/x.git cannot be used',
      'The git repository … cannot be used',
    ],
    ['The git repository git@git.example.org:x.git cannot be used', 'The git repository … cannot be used'],
    ['Process 4711 did not end', 'a process did not end'],
    ['it wrote \u001b[31m', 'it wrote ?[31m'],
    ['x'.repeat(3000), 'x'.repeat(2000)],
  ])('%s', (what, shown) => {
    expect(visitorSentence(what)).toBe(shown)
  })

  it('is what a person wrote for them', () => {
    const text = 'Moving; see https://status.example.org/today'
    expect(publicText(text)).toBe(text)
  })
})
