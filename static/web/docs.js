// The JSON API: opens what an address or a link within the page leads to.
function open() {
  const place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (place?.matches("details")) {
    place.open = true;
    place.scrollIntoView();
  }
}

addEventListener("hashchange", open);
open();
