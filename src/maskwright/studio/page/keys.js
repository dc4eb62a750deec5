() => {
  const buttons = { z: "mw-undo", y: "mw-redo", Escape: "mw-stop" };
  const modes = { a: 0, s: 1, b: 2, w: 3 };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input[type=text], input[type=number], textarea, [contenteditable=true]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const id = buttons[event.key];
    if (id) { const found = document.getElementById(id); (found?.querySelector("button") ?? found)?.click(); return; }
    const place = modes[event.key];
    if (place !== undefined) document.querySelectorAll("#mw-mode input")[place]?.click();
  });
}
