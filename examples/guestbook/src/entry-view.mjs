import { html } from './html.mjs'

const WHEN = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeStyle: 'short' })

/** One entry as an article; `visitor` decides whether it can be deleted. */
export function entryView(entry, visitor) {
  return html`<article class="entry" id="entry-${entry.id}" data-id="${entry.id}" aria-labelledby="name-${entry.id}">
  <img class="card" src="/cards/${entry.id}.svg" alt="" width="44" height="44">
  <div>
    <header><h3 id="name-${entry.id}">${entry.name}</h3>
      <time datetime="${entry.createdAt.toISOString()}">${WHEN.format(entry.createdAt)}</time></header>
    <p class="message">${entry.message}</p>
    ${entry.files.map(fileView)}
    ${isOwn(entry, visitor) && deleteForm(entry)}
  </div>
</article>`
}

/** True if this visitor wrote the entry. */
export function isOwn(entry, visitor) {
  return Boolean(visitor) && entry.author === visitor
}

export function fileView(file) {
  return html`<p class="file"><a href="/files/${file.id}" download>${file.fileName}</a> <span>${sizeText(file.size)}</span></p>`
}

export function deleteForm(entry) {
  return html`<form method="post" action="/entries/${entry.id}/delete"><button class="quiet">Delete my entry</button></form>`
}

function sizeText(bytes) {
  if (bytes < 1000) return `${bytes} B`
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`
}
