import fc from 'fast-check'
import { expect, it } from 'vitest'
import { escapeHtml, Html, html } from './html.ts'

it('escapes every value and leaves the template alone', () => {
  const reason = `<script>alert("x")</script> & 'y'`
  expect(html`<p title="${reason}">${reason}</p>`.text).toBe(
    '<p title="&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#39;y&#39;">&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#39;y&#39;</p>',
  )
})

it('takes Html as it is, joins lists, and shows nothing for what is not there', () => {
  const items = ['a', '<b>'].map((item) => html`<li>${item}</li>`)
  expect(html`<ul>${items}</ul>${undefined}${null}${false}${0}`.text).toBe(
    '<ul><li>a</li><li>&lt;b&gt;</li></ul>0',
  )
  expect(String(new Html('<br>'))).toBe('<br>')
})

it('no text can open a tag or leave an attribute', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(escapeHtml(text)).not.toMatch(/[<>"']/)
    }),
  )
})
