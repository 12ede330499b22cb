import { describe, expect, test } from 'vitest'
import { compareConfigs } from './compare.ts'
import { editApplications } from './edit.ts'
import { parseConfig } from './parse.ts'
import { configText } from './testing/fixture.ts'

const application = { source: './new', environment: { LANGUAGE: 'no' }, secretNames: ['TOKEN'] }
const add = (text: string, name = 'added'): string =>
  editApplications(text, { action: 'add', name, application })
const remove = (text: string, name: string): string => editApplications(text, { action: 'remove', name })
const parse = (text: string) => parseConfig(text, 'appliance.yml').config

const TWO = configText([
  'applications:   # what runs here',
  '    # our oldest one',
  '    guestbook:',
  '        source:   "./guestbook"     # odd spacing stays',
  '        environment: { A: "1",B: "2" }',
  '        # a remark at its end',
  '',
  '    # the other one',
  '    shop:',
  '        source: ./shop',
  '        environment:',
  '            TEXT: |',
  '                two',
  '                lines',
  '',
  '# a remark before the next section',
  'standby:    false',
])

describe('adding', () => {
  test('keeps every byte of the rest and generates the secrets', () => {
    const result = add(TWO)
    expect(parse(result).applications.added).toMatchObject({
      source: './new',
      environment: { LANGUAGE: 'no' },
    })
    expect(parse(result).applications.added?.secrets.TOKEN?.reveal()).toHaveLength(32)
    expect(remove(result, 'added')).toBe(TWO)
  })

  test.each([
    ['no section', configText()],
    ['an empty one', configText(['applications: {}', 'standby: false'])],
    ['an empty one with a remark', configText(['applications: {} # none yet', 'standby: false'])],
    ['windows line ends', TWO.replaceAll('\n', '\r\n')],
    ['no line end at the end', `${configText().trimEnd()}`],
  ])('into %s', (_name, text) => {
    const result = add(text)
    expect(parse(result).applications.added?.source).toBe('./new')
    const lines = (each: string): string[] => each.split('\n').map((line) => line.trimEnd())
    expect(lines(result)).toEqual(
      expect.arrayContaining(lines(text).filter((line) => !line.includes('applications:'))),
    )
    if (text.includes('# none yet')) expect(result).toContain('applications: # none yet\n')
  })

  test('refuses a name that is taken or invalid', () => {
    expect(() => add(TWO, 'shop')).toThrow(expect.objectContaining({ code: 'APP_EXISTS' }))
    expect(() => add(TWO, 'No Name')).toThrow(expect.objectContaining({ code: 'CONFIG_WRONG_TYPE' }))
  })
})

describe('removing', () => {
  test('takes the entry with its remarks, and nothing else', () => {
    const result = remove(TWO, 'guestbook')
    expect(Object.keys(parse(result).applications)).toEqual(['shop'])
    const gone = TWO.split('\n').filter((line) => !result.split('\n').includes(line))
    expect(gone.map((line) => line.trim())).toEqual([
      '# our oldest one',
      'guestbook:',
      'source:   "./guestbook"     # odd spacing stays',
      'environment: { A: "1",B: "2" }',
      '# a remark at its end',
    ])
    expect(remove(TWO, 'shop')).toContain('# a remark before the next section')
  })

  test('the last one leaves an empty section', () => {
    const result = remove(remove(TWO, 'guestbook'), 'shop')
    expect(result).toContain('applications: {}   # what runs here\n')
    expect(parse(result).applications).toEqual({})
  })

  test('names what was probably meant', () => {
    expect(() => remove(TWO, 'guestbok')).toThrow(
      expect.objectContaining({ code: 'APP_UNKNOWN', next: 'Did you mean "guestbook"?' }),
    )
  })
})

test('applications in one line are left to the person', () => {
  const text = configText(['applications: {shop: {source: ./shop}}'])
  expect(() => add(text)).toThrow(expect.objectContaining({ code: 'USAGE' }))
})

test('the difference of two configs: keys and values, secrets only by name', () => {
  const changed = TWO.replace('A: "1"', 'A: "9"').replace('standby:    false', 'standby: "resting"')
  expect(compareConfigs(parse(TWO), parse(changed))).toEqual([
    { key: 'caretaker.applications.guestbook.environment.A', change: 'changed', old: '"1"', new: '"9"' },
    { key: 'caretaker.standby', change: 'changed', old: 'false', new: '"resting"' },
  ])
  expect(compareConfigs(parse(TWO), parse(TWO))).toEqual([])
  const [first, second] = [add(configText()), add(configText())]
  expect(compareConfigs(parse(first), parse(second))).toEqual([
    {
      key: 'caretaker.applications.added.secrets.TOKEN',
      change: 'changed',
      old: '[secret]',
      new: '[secret]',
    },
  ])
})
