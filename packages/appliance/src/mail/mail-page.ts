import { type Html, html } from '@caretaker/kernel/html.ts'
import { formatBytes } from '@caretaker/kernel/units.ts'
import type { Mail } from './mail.ts'

/** The mails of a clone, the newest first. Nothing of a mail but its text is shown; nothing is loaded from elsewhere. */
export function renderMails(clone: string, mails: readonly Mail[]): string {
  const rows = mails.map(
    ({ id, at, from, to, subject }) =>
      html`<tr><td>${time(at)}</td><td>${from}</td><td>${to.join(', ')}</td><td><a href="/mail/${id}">${subject || '(no subject)'}</a></td></tr>`,
  )
  const content =
    rows.length === 0
      ? html`<p>No mail yet. What ${clone} sends is kept here and goes nowhere.</p>`
      : html`<table><thead><tr><th>Received</th><th>From</th><th>To</th><th>Subject</th></tr></thead><tbody>${rows}</tbody></table>`
  return page(`Mail of ${clone}`, content)
}

/** One mail as text. */
export function renderMail(clone: string, mail: Mail): string {
  const { id, at, from, to, subject, text, links, attachments } = mail
  const files = attachments.map(
    ({ name, type, size_bytes }) => html`<li>${name} (${type}, ${formatBytes(size_bytes)})</li>`,
  )
  const linked = links.map((link) => html`<li><code>${link}</code></li>`)
  return page(
    subject || '(no subject)',
    html`<p><a href="/">All mail of ${clone}</a></p>
<dl><dt>Received</dt><dd>${time(at)}</dd><dt>From</dt><dd>${from}</dd><dt>To</dt><dd>${to.join(', ')}</dd></dl>
<pre>${text}</pre>
${links.length > 0 && html`<h2>Links</h2><ul>${linked}</ul>`}
${attachments.length > 0 && html`<h2>Attachments</h2><ul>${files}</ul>`}
<p><a href="/mail/${id}.eml">The whole mail as a file</a></p>`,
  )
}

/** What somebody sees who has no key. */
export function renderNoKey(clone: string): string {
  return page(
    'No access',
    html`<p>Open this page with the link that <code>caretaker clone mail ${clone}</code> prints.</p>`,
  )
}

const time = (instant: string) =>
  html`<time datetime="${instant}">${instant.slice(0, 19).replace('T', ' ')} UTC</time>`

function page(title: string, content: Html): string {
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${title}</title><link rel="stylesheet" href="/mail.css"></head>
<body><main><h1>${title}</h1>
${content}
</main></body></html>
`.text
}

export const MAIL_CSS = `:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem }
table { border-collapse: collapse; width: 100% } th, td { padding: .3rem .6rem; text-align: left; vertical-align: top }
tbody tr { border-top: 1px solid color-mix(in srgb, currentColor 20%, transparent) }
pre { overflow-wrap: anywhere; padding: 1rem; white-space: pre-wrap; border: 1px solid color-mix(in srgb, currentColor 20%, transparent) }
dl { display: grid; gap: 0 1rem; grid-template-columns: max-content 1fr } dd { margin: 0 } code { overflow-wrap: anywhere }
`
