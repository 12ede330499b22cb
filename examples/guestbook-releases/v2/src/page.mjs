import { entryView } from './entry-view.mjs'
import { html } from './html.mjs'
import { release } from './release.mjs'

/** The page of entries. `older` is the id to page on from, `from` the visitor whose entries these are, `problem` what was wrong with what was sent. */
export function entriesPage({
  title,
  entries,
  newest,
  older,
  isFirst,
  from,
  visitor,
  counts,
  keeper,
  problem,
  sent = {},
}) {
  return layout(
    title,
    html`<section aria-labelledby="write"><h2 id="write">Leave a line</h2>
<form class="write" method="post" action="/entries" enctype="multipart/form-data">
  ${problem && html`<p class="problem" role="alert">${problem}</p>`}
  <label for="name">Your name</label>
  <input id="name" name="name" required maxlength="80" autocomplete="name" value="${sent.name ?? ''}">
  <label for="message">Message</label>
  <textarea id="message" name="message" required maxlength="2000" rows="4">${sent.message ?? ''}</textarea>
  <label for="file">A file, if you like</label>
  <input id="file" name="file" type="file">
  <button>Sign the guestbook</button>
</form></section>
<section aria-labelledby="read"><h2 id="read">Entries${from && html` by ${from}`}</h2>
<p id="live" class="live" role="status" aria-live="polite"></p>
<div id="entries" data-newest="${newest}" data-live="${isFirst ? 'yes' : 'no'}">
${entries.map((entry) => entryView(entry, visitor))}
${entries.length === 0 && html`<p id="empty">Nobody has written yet. You could be the first.</p>`}
</div>
<nav aria-label="Pages">${!isFirst && html`<a href="/">Newest</a>`}
${older && html`<a rel="next" href="/?before=${older}${from && html`&amp;from=${encodeURIComponent(from)}`}">Older entries</a>`}</nav></section>`,
    html`${countOf(counts.entries, 'entry', 'entries')} by ${countOf(counts.names, 'visitor', 'visitors')}.${keeper && html` Kept by ${keeper}.`}`,
  )
}

/** A page that says one thing. */
export function messagePage(title, heading, text) {
  return layout(
    title,
    html`<section><h2>${heading}</h2><p>${text}</p><p><a href="/">To the guestbook</a></p></section>`,
  )
}

function layout(title, main, footer) {
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<title>${title}</title><link rel="icon" href="/favicon.svg"><link rel="stylesheet" href="/style.css"><script src="/live.js" defer></script></head>
<body><header class="top"><h1><a href="/">${title}</a></h1></header>
<main>${main}</main>
<footer>${footer} <span>Guestbook release ${release}.</span></footer></body></html>
`
}

function countOf(count, one, many) {
  return `${count} ${count === 1 ? one : many}`
}
