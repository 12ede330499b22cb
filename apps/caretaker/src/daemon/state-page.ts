import { type Html, html } from '@caretaker/kernel/html.ts'
import { printableDeep } from '@caretaker/kernel/printable.ts'
import { redactDeep } from '@caretaker/kernel/secrets.ts'
import { formatBytes } from '@caretaker/kernel/units.ts'
import type { OperationSummary } from '@caretaker/steps/operations.ts'
import type { StateReport } from '../cli/report-state.ts'

/** Refreshes often enough that a start can be watched. */
const REFRESH_S = 3

/** The state of the appliance for a browser, from the same value as `status`. */
export function renderStatePage(shown: StateReport, history: readonly OperationSummary[], now: Date): string {
  const report = printableDeep(redactDeep(shown)) as StateReport
  const operations = printableDeep(redactDeep(history)) as readonly OperationSummary[]
  const name = report.appliance.domain ?? 'Caretaker'
  const kind = report.state === 'running' ? 'good' : report.serving ? 'warn' : 'bad'
  return document(
    `${report.state} · ${name}`,
    html`<header class="${kind}">
        <h1>${name}</h1>
        <p class="state"><strong>${report.state}</strong>${report.reason === '' ? '' : html` — ${report.reason}`}</p>
        ${report.until === null ? '' : html`<p>Planned end: <time>${report.until}</time></p>`}
        ${report.next === '' ? '' : html`<p>Next: <code>${report.next}</code></p>`}
      </header>
      ${report.parts.map(
        (part) =>
          html`<section class="warn"><h2>${part.part}</h2><p>${part.reason}</p><p>Next: <code>${part.next}</code></p></section>`,
      )}
      <section>
        <h2>Applications</h2>
        ${report.apps.length === 0 ? html`<p>None yet. <code>caretaker app add NAME SOURCE</code></p>` : appsTable(report)}
      </section>
      <section>
        <h2>Operations</h2>
        ${operations.length === 0 ? html`<p>None yet.</p>` : operationsTable(operations)}
      </section>
      <section>
        <h2>Machine</h2>
        <dl>
          <dt>Gateway</dt><dd>${report.gateway.running ? `${report.gateway.address}, pid ${report.gateway.pid}` : 'not running'}</dd>
          ${
            report.storage
              ? html`<dt>Data</dt><dd>${report.storage.folder} (${report.storage.backend}), ${formatBytes(report.storage.available_bytes)} of ${formatBytes(report.storage.total_bytes)} free</dd>`
              : ''
          }
          <dt>Config</dt><dd>${report.appliance.config_file ?? 'none'}</dd>
          <dt>State</dt><dd>${report.appliance.state_folder}</dd>
          <dt>Seen</dt><dd><time>${now.toISOString()}</time></dd>
        </dl>
      </section>`,
  )
}

function appsTable(report: StateReport): Html {
  return html`<table>
    <thead><tr><th>Application</th><th>Version</th><th>State</th><th>Address</th></tr></thead>
    <tbody>
      ${report.apps.map(
        (
          app,
        ) => html`<tr><th scope="row">${app.app}</th><td>${app.version ?? '–'}</td><td>${app.state}</td><td>${addressOf(app.url)}</td></tr>
          ${app.services.map(
            (service) =>
              html`<tr class="sub"><td>${service.service}</td><td></td><td>${service.state}</td><td>${service.pid === undefined ? '' : `pid ${service.pid}`}</td></tr>`,
          )}`,
      )}
    </tbody>
  </table>`
}

/** A link, for what a browser opens as a page; else a text. */
function addressOf(url: string): Html {
  return /^https?:\/\//.test(url) ? html`<a href="${url}">${url}</a>` : html`${url}`
}

function operationsTable(operations: readonly OperationSummary[]): Html {
  return html`<table>
    <thead><tr><th>Started</th><th>Purpose</th><th>State</th><th>By</th></tr></thead>
    <tbody>
      ${operations.map(
        (entry) =>
          html`<tr><td><time>${entry.started_at}</time></td><td>${entry.purpose}</td><td>${entry.state}</td><td>${entry.user}</td></tr>`,
      )}
    </tbody>
  </table>`
}

function document(title: string, body: Html): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="${REFRESH_S}">
<title>${title}</title>
<link rel="stylesheet" href="/state.css">
</head>
<body><main>${body}</main></body>
</html>
`.text
}

export const STATE_PAGE_CSS = `:root { color-scheme: light dark; --line: #8884; --good: #2e7d4f; --warn: #a86400; --bad: #b3261e; }
* { box-sizing: border-box; }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; background: Canvas; color: CanvasText; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
header, section { border: 1px solid var(--line); border-left-width: 4px; border-radius: 6px; padding: .75rem 1rem; margin-bottom: 1rem; overflow-x: auto; }
header.good { border-left-color: var(--good); } .warn { border-left-color: var(--warn); } header.bad { border-left-color: var(--bad); }
h1 { font-size: 1.3rem; margin: 0; } h2 { font-size: 1rem; margin: 0 0 .4rem; } p { margin: .3rem 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-top: 1px solid var(--line); vertical-align: top; }
thead th { border-top: 0; font-weight: 600; opacity: .7; } tr.sub td:first-child { padding-left: 1.25rem; opacity: .8; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: 0; } dt { opacity: .7; } dd { margin: 0; overflow-wrap: anywhere; }
code { font-family: ui-monospace, monospace; }
@media (max-width: 34rem) { table, tbody, tr, td, th { display: block; border-top: 0; padding: 0; } thead { display: none; } tbody tr { border-top: 1px solid var(--line); padding: .3rem 0; } }
`
