import { expect, test } from 'vitest'
import { parseConfig } from '../config/parse.ts'
import { configText } from '../config/testing/fixture.ts'
import { wantedCertificates } from './wanted.ts'

const APPLICATIONS = [
  'applications:',
  '  shop:',
  '    source: ./shop',
  '    hosts: [shop.example.org, example.org]',
  '    aliases: [www.example.org]',
  '  wiki:',
  '    source: ./wiki',
  '    hosts: [wiki.tools.example.org]',
  '  blog:',
  '    source: ./blog',
  '    hosts: [blog.example.org, blog.example.net]',
]
const wanted = (...tls: string[]) =>
  wantedCertificates(parseConfig(configText([...tls, ...APPLICATIONS]), 'appliance.yml').config)

test('one certificate for each application, with all its names', () => {
  expect(wanted()).toEqual([
    { name: 'app-shop', hosts: ['shop.example.org', 'example.org', 'www.example.org'] },
    { name: 'app-wiki', hosts: ['wiki.tools.example.org'] },
    { name: 'app-blog', hosts: ['blog.example.org', 'blog.example.net'] },
  ])
})

test('with a wildcard only applications with a name that it does not cover have one of their own', () => {
  expect(
    wanted(
      'tls:',
      '  mode: acme',
      '  acme: { accept_terms: true, challenge: dns-01, wildcard: true, dns: { command: [/opt/hook] } }',
    ),
  ).toEqual([
    { name: 'wildcard', hosts: ['*.example.org', 'example.org'] },
    { name: 'app-wiki', hosts: ['wiki.tools.example.org'] },
    { name: 'app-blog', hosts: ['blog.example.org', 'blog.example.net'] },
  ])
})
